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

# Mail and Slack. First with create = true and no version: that makes the secrets, empty. Then their values,
#   printf %s "$TOKEN" | gcloud secrets versions add auteryn-slack --data-file=-
# and then their versions, as here. A secret that exists already needs no create. The network must let the mail out, by the
# port that AUTERYN_SMTP_URL names: vpc_egress = { ports = ["587"] } above.
#
# secrets = {
#   AUTERYN_SMTP_URL = { create = true, secret = "auteryn-smtp", version = "1" }
#   SLACK_BOT_TOKEN  = { create = true, secret = "auteryn-slack", version = "1" }
# }
#
# settings = {
#   AUTERYN_MAIL_FROM  = "agents@example.com"
#   AUTERYN_PUBLIC_URL = "https://agents.example.com"
# }
