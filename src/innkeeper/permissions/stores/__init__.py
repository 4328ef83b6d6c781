"""Where permissions are kept. Each store fulfils the contract in ``base``."""
