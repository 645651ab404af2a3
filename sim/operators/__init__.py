"""What a product costs: every operator's processing element, measured with operands of a trained network, beside published figures."""
