# A trial: nothing is kept warm, everything may be torn down again.
deletion_protection = false

labels = {
  environment = "dev"
}

spend_alert = {
  credits_per_hour = 200
  slices_at_once   = 10
}

# Web search by a key that lies in Secret Manager already, and a browser's tools without a sandbox for code:
#
# secrets = {
#   BRAVE_API_KEY = { secret = "brave-key", version = "latest" }
# }
#
# settings = {
#   AUTERYN_SANDBOX = "off"
# }
