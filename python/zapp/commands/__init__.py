from . import inspect, serve, validate

COMMANDS = (validate, inspect, serve)
