"""How models fare on people, phones and places they never learnt from."""
