# A trial: nothing is kept warm, everything may be torn down again.
deletion_protection = false

labels = {
  environment = "dev"
}

spend_alert = {
  credits_per_hour = 200
  slices_at_once   = 10
}
