# One page: is work coming in, is it being done, what does it cost, what is going wrong.

locals {
  _services = "monitored_resource=\"cloud_run_revision\",service_name=~\"auteryn-.*\""
  _jobs_at  = "monitored_resource=\"cloud_run_job\",job_name=~\"auteryn-slice.*\""

  _tiles = [
    ["Slices at work", "sum by (job_name) (run_googleapis_com:job_running_executions{${local._jobs_at}})"],
    ["Executions ended, by result", "sum by (result) (rate(run_googleapis_com:job_completed_execution_count{${local._jobs_at}}[5m]))"],
    ["Requests a second", "sum by (service_name, response_code_class) (rate(run_googleapis_com:request_count{${local._services}}[5m]))"],
    ["Request latency, 95 %", "histogram_quantile(0.95, sum by (service_name, le) (rate(run_googleapis_com:request_latencies_bucket{${local._services}}[5m])))"],
    ["Wakes in the queue", "sum(cloudtasks_googleapis_com:queue_depth{monitored_resource=\"cloud_tasks_queue\",queue_id=\"${google_cloud_tasks_queue.wakes.name}\"})"],
    ["Steps not delivered yet", "sum by (subscription_id) (pubsub_googleapis_com:subscription_num_undelivered_messages{monitored_resource=\"pubsub_subscription\",subscription_id=~\"auteryn-steps.*\"})"],
    ["Documents written a second", "sum(rate(firestore_googleapis_com:document_write_ops_count{monitored_resource=\"firestore.googleapis.com/Database\",database_id=\"${google_firestore_database.store.name}\"}[5m]))"],
    ["Credits a minute (thousandths)", join(" + ", [for host in ["job", "revision"] : "(sum(increase(logging_googleapis_com:user_auteryn_credits_sum{monitored_resource=\"cloud_run_${host}\"}[1m])) or vector(0))"])],
    ["Sweeps that had to act", "sum(increase(logging_googleapis_com:user_auteryn_sweeps_acting{monitored_resource=\"cloud_run_revision\"}[10m]))"],
    ["Memory of slices, 99 %", "histogram_quantile(0.99, sum by (job_name, le) (rate(run_googleapis_com:container_memory_utilizations_bucket{${local._jobs_at}}[5m])))"],
  ]
}

resource "google_monitoring_dashboard" "this" {
  project = var.project_id
  dashboard_json = jsonencode({
    displayName = "Auteryn"
    mosaicLayout = {
      columns = 12
      tiles = [
        for index, tile in local._tiles : {
          xPos   = index % 2 * 6
          yPos   = floor(index / 2) * 4
          width  = 6
          height = 4
          widget = {
            title = tile[0]
            xyChart = {
              dataSets = [{ plotType = "LINE", timeSeriesQuery = { prometheusQuery = tile[1] } }]
            }
          }
        }
      ]
    }
  })

  depends_on = [google_project_service.this]
}
