from . import cgi, inspect, serve, validate

COMMANDS = (validate, inspect, serve, cgi)
