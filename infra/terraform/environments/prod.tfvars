# People rely on it: an instance is always warm, the database can be read as of any minute of the last week, and what the
# agent fetches leaves through one network. Add alert_emails and budget of your own.
api = {
  cpu           = "2"
  max_instances = 50
  memory        = "4Gi"
  min_instances = 1
}

deletion_protection = true

dispatch = {
  max_instances = 50
  min_instances = 1
}

labels = {
  environment = "prod"
}

point_in_time_recovery = true

vpc_egress = {}
