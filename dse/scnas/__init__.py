"""SC-NAS: stochastic-computing networks and their circuits searched together, beside the searches they are compared with.

After Song et al., J. Systems Architecture 135 (2023): the method is reconstructed from its abstract, the constants are ours.
"""
