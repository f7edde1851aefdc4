from . import cgi, inspect, serve, validate, worker

COMMANDS = (validate, inspect, serve, worker, cgi)
