"""The command `skipx`, one file per subcommand: its options, and what it does with them."""
