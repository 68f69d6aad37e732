# Optional second line of the egress guard: everything leaves through one network with NAT, and only web traffic does, and what
# vpc_egress.ports names. The metadata server is not network traffic and no firewall stops it; the tools' guard and the narrow
# accounts do.

locals {
  networks = [
    for subnetwork in google_compute_subnetwork.egress : {
      network    = google_compute_network.egress[0].id
      subnetwork = subnetwork.id
      tags       = ["auteryn"]
    }
  ]
}

resource "google_compute_network" "egress" {
  count = var.vpc_egress == null ? 0 : 1

  project                 = var.project_id
  name                    = "auteryn"
  auto_create_subnetworks = false

  depends_on = [google_project_service.this]
}

resource "google_compute_subnetwork" "egress" {
  count = var.vpc_egress == null ? 0 : 1

  project       = var.project_id
  name          = "auteryn"
  region        = var.region
  network       = google_compute_network.egress[0].id
  ip_cidr_range = var.vpc_egress.range

  # Firestore, Cloud Tasks and the others are reached without an external address, and dispatch counts callers as internal.
  private_ip_google_access = true
}

resource "google_compute_router" "egress" {
  count = var.vpc_egress == null ? 0 : 1

  project = var.project_id
  name    = "auteryn"
  region  = var.region
  network = google_compute_network.egress[0].id
}

resource "google_compute_router_nat" "egress" {
  count = var.vpc_egress == null ? 0 : 1

  project                            = var.project_id
  name                               = "auteryn"
  region                             = var.region
  router                             = google_compute_router.egress[0].name
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}

locals {
  # By rising priority: inside addresses never, the web yes, the rest never.
  _firewall = {
    deny-inside = { priority = 1000, protocol = "all", ports = [], ranges = ["10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"] }
    allow-web   = { priority = 2000, protocol = "tcp", ports = distinct(concat(["80", "443"], try(var.vpc_egress.ports, []))), ranges = ["0.0.0.0/0"] }
    deny-rest   = { priority = 65000, protocol = "all", ports = [], ranges = ["0.0.0.0/0"] }
  }
}

resource "google_compute_firewall" "egress" {
  for_each = var.vpc_egress == null ? {} : local._firewall

  project            = var.project_id
  name               = "auteryn-${each.key}"
  network            = google_compute_network.egress[0].id
  direction          = "EGRESS"
  priority           = each.value.priority
  destination_ranges = each.value.ranges
  target_tags        = ["auteryn"]

  dynamic "allow" {
    for_each = startswith(each.key, "allow") ? [each.value] : []
    content {
      protocol = allow.value.protocol
      ports    = allow.value.ports
    }
  }

  dynamic "deny" {
    for_each = startswith(each.key, "deny") ? [each.value] : []
    content {
      protocol = deny.value.protocol
      ports    = deny.value.ports
    }
  }
}
