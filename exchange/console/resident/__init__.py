"""What the pages of a resident share: his case, what is known of organisations and laws, plain words."""
