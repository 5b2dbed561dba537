"""The senders of the soak, which misbehave as real ones do, and the ledger of what they did."""
