"""Programs that import TensorFlow; they run in processes of their own, and nothing else imports them."""
