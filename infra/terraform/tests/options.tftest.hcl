# What the options do.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

variables {
  project_id = "an-example-project"
}

run "a_key_replaces_vertex" {
  command = plan

  variables {
    model_key_version = "2"
  }

  assert {
    condition     = length(google_project_iam_member.model_user) == 0 && length(google_secret_manager_secret_iam_member.model_key) == 3
    error_message = "With a key, the hosts read the secret and no longer reach Vertex AI."
  }
}

run "a_release_runs_our_commands" {
  command = plan

  variables {
    image = "us-central1-docker.pkg.dev/an-example-project/auteryn/auteryn@sha256:abababababababababababababababababababababababababababababababab"
  }

  assert {
    condition     = alltrue([for job in google_cloud_run_v2_job.slice : job.template[0].template[0].containers[0].command == tolist(["python", "/app/functions/slice/main.py"])])
    error_message = "The job must start functions/slice."
  }
}

run "egress_makes_a_network" {
  command = plan

  variables {
    vpc_egress = {}
  }

  assert {
    condition     = length(google_compute_firewall.egress) == 3 && google_compute_subnetwork.egress[0].private_ip_google_access
    error_message = "Egress needs its firewall, and Google's APIs from inside."
  }
}

run "a_budget_and_mails" {
  command = plan

  variables {
    alert_emails = ["team@example.com"]
    budget       = { amount = 100, billing_account = "01AB23-CD45EF-678901" }
  }

  assert {
    condition     = length(google_monitoring_notification_channel.email) == 1 && google_billing_budget.this[0].amount[0].specified_amount[0].units == "100"
    error_message = "A budget needs its amount, an address its channel."
  }
}

run "a_closed_door" {
  command = plan

  variables {
    api_invokers = ["group:team@example.com"]
  }

  assert {
    condition     = keys(google_cloud_run_v2_service_iam_member.api_invoker) == ["group:team@example.com"]
    error_message = "api_invokers must be the only ones invited."
  }
}
