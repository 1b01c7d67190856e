"""One subcommand of `egret` a module: `add_arguments(parser)` and `run(arguments) -> exit code`. Heavy imports happen inside `run`."""
