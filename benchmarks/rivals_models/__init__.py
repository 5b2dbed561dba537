"""Networks and features that kinestream is compared with."""
