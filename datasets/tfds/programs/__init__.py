"""Programs that import TensorFlow, run in separate processes; nothing else imports them."""
