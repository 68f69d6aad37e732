# What wants a person. Own figures are counted from the JSON lines the code logs; PromQL conditions, because those may name a
# metric before its first point exists.

locals {
  _on_dispatch = "resource.type=\"cloud_run_revision\" resource.labels.service_name=\"${google_cloud_run_v2_service.function["dispatch"].name}\""

  _counters = {
    sweeps = {
      description = "Sweeps"
      filter      = "${local._on_dispatch} jsonPayload.message=\"sweep\""
    }
    sweeps_acting = {
      description = "Sweeps that had to dispatch a run nobody told of"
      filter      = "${local._on_dispatch} jsonPayload.message=\"sweep\" jsonPayload.acted>0"
    }
    sweeps_stuck = {
      description = "Sweeps that found a run overdue for more than ten minutes"
      filter      = "${local._on_dispatch} jsonPayload.message=\"sweep\" jsonPayload.overdue_seconds>600"
    }
  }

  _alerts = {
    dead-letters = {
      severity = "WARNING"
      what     = "Steps could not be delivered ten times over. The sweeper goes on with their runs; the messages lie in the subscription ${google_pubsub_subscription.dead.name} for 31 days and say which."
      queries = {
        "Messages nobody could take" = "max(pubsub_googleapis_com:subscription_num_undelivered_messages{monitored_resource=\"pubsub_subscription\",subscription_id=\"${google_pubsub_subscription.dead.name}\"}) > 0"
      }
      duration = "0s"
    }
    errors = {
      severity = "ERROR"
      what     = "More than 5 % of the requests to a service, and more than five, ended with 5xx within ten minutes. Look at its logs; if a release went before, roll back."
      queries = {
        for service in ["api", "dispatch"] : "${service} answers 5xx" => join(" ", [
          "sum(rate(run_googleapis_com:request_count{monitored_resource=\"cloud_run_revision\",service_name=\"auteryn-${service}\",response_code_class=\"5xx\"}[10m]))",
          "/ sum(rate(run_googleapis_com:request_count{monitored_resource=\"cloud_run_revision\",service_name=\"auteryn-${service}\"}[10m])) > 0.05",
          "and sum(increase(run_googleapis_com:request_count{monitored_resource=\"cloud_run_revision\",service_name=\"auteryn-${service}\",response_code_class=\"5xx\"}[10m])) > 5",
        ])
      }
      duration = "300s"
    }
    spend = {
      severity = "WARNING"
      what     = "Runs spend faster than foreseen. `auteryn ls` shows who; every run also has limits of its own."
      queries = {
        # Thousandths of a credit; by the hosts of DEEP and of FAST slices.
        for host in ["cloud_run_job", "cloud_run_revision"] : "Credits an hour (${host})" =>
        "sum(increase(logging_googleapis_com:user_auteryn_credits_sum{monitored_resource=\"${host}\"}[1h])) > ${var.spend_alert.credits_per_hour * 1000}"
      }
      duration = "0s"
    }
    slices = {
      severity = "WARNING"
      what     = "More slices at work than foreseen, for an hour. A region runs 1,000 executions at once; the next ones wait."
      queries = {
        "Slices at work" = "sum(avg_over_time(run_googleapis_com:job_running_executions{monitored_resource=\"cloud_run_job\",job_name=~\"auteryn-slice.*\"}[1h])) > ${var.spend_alert.slices_at_once}"
      }
      duration = "0s"
    }
    stuck-runs = {
      severity = "ERROR"
      what     = "A run is due and has not moved for ten minutes, though it is swept each minute. `auteryn doctor --cloud` names it and what it lacks."
      queries = {
        "Overdue runs" = "sum(increase(logging_googleapis_com:user_${google_logging_metric.counter["sweeps_stuck"].name}{monitored_resource=\"cloud_run_revision\"}[10m])) > 5"
      }
      duration = "0s"
    }
    sweeper-acting = {
      severity = "WARNING"
      what     = "The sweeper found due runs in most minutes: wakes or steps are being lost. Nothing is broken yet, but everything is slower. Look at the queue ${google_cloud_tasks_queue.wakes.name} and the subscription ${google_pubsub_subscription.steps.name}."
      queries = {
        "Sweeps that had to act" = "sum(increase(logging_googleapis_com:user_${google_logging_metric.counter["sweeps_acting"].name}{monitored_resource=\"cloud_run_revision\"}[10m])) > 5"
      }
      duration = "0s"
    }
    sweeper-silent = {
      severity = "CRITICAL"
      what     = "No sweep for ten minutes, though Cloud Scheduler calls dispatch each minute: lost wakes stay lost. Look at the job ${google_cloud_scheduler_job.sweep.name}, and at the logs of dispatch."
      queries = {
        # Not absent_over_time: before the first release nobody sweeps, and that is no alarm.
        "Sweeps have stopped" = "(sum(increase(logging_googleapis_com:user_${google_logging_metric.counter["sweeps"].name}{monitored_resource=\"cloud_run_revision\"}[1d])) > 0) unless (sum(increase(logging_googleapis_com:user_${google_logging_metric.counter["sweeps"].name}{monitored_resource=\"cloud_run_revision\"}[10m])) > 0)"
        "No call of dispatch" = "absent_over_time(run_googleapis_com:request_count{monitored_resource=\"cloud_run_revision\",service_name=\"${google_cloud_run_v2_service.function["dispatch"].name}\"}[10m])"
      }
      duration = "0s"
    }
  }
}

resource "google_logging_metric" "counter" {
  for_each = local._counters

  project     = var.project_id
  name        = "auteryn_${each.key}"
  description = each.value.description
  filter      = each.value.filter

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }

  depends_on = [google_project_service.this]
}

resource "google_logging_metric" "credits" {
  project         = var.project_id
  name            = "auteryn_credits"
  description     = "Thousandths of a credit a slice spent"
  filter          = "resource.type=(\"cloud_run_job\" OR \"cloud_run_revision\") jsonPayload.message=\"slice\" jsonPayload.credits>0"
  value_extractor = "EXTRACT(jsonPayload.credits)"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
  }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.alert_emails)

  project      = var.project_id
  display_name = "Auteryn: ${each.key}"
  type         = "email"
  labels       = { email_address = each.key }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_alert_policy" "this" {
  for_each = local._alerts

  project               = var.project_id
  display_name          = "Auteryn: ${replace(each.key, "-", " ")}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = [for channel in google_monitoring_notification_channel.email : channel.id]
  user_labels           = local.labels

  dynamic "conditions" {
    for_each = each.value.queries
    content {
      display_name = conditions.key

      condition_prometheus_query_language {
        query                     = conditions.value
        duration                  = each.value.duration
        evaluation_interval       = "60s"
        disable_metric_validation = true
      }
    }
  }

  documentation {
    content   = each.value.what
    mime_type = "text/markdown"
  }

  alert_strategy {
    auto_close = "1800s"
  }

  depends_on = [google_logging_metric.credits, google_project_service.this]
}

resource "google_billing_budget" "this" {
  provider = google.budgets
  count    = var.budget == null ? 0 : 1

  billing_account = var.budget.billing_account
  display_name    = "Auteryn in ${var.project_id}"

  budget_filter {
    projects = ["projects/${data.google_project.this.number}"]
  }

  amount {
    specified_amount {
      currency_code = var.budget.currency
      units         = tostring(floor(var.budget.amount))
    }
  }

  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1.0]
    content {
      threshold_percent = threshold_rules.value
    }
  }

  # It takes five channels, not more; without a rule the admins of the billing account are told.
  dynamic "all_updates_rule" {
    for_each = length(var.alert_emails) == 0 ? [] : [values(google_monitoring_notification_channel.email)]
    content {
      monitoring_notification_channels = [for channel in slice(all_updates_rule.value, 0, min(5, length(var.alert_emails))) : channel.id]
    }
  }

  depends_on = [google_project_service.this]
}
