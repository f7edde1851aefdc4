from . import cgi, inspect, run, serve, validate

COMMANDS = (validate, inspect, serve, run, cgi)
