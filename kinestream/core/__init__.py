"""The ground floor: values, errors and protocols that every room shares. It imports no other room."""
