from . import cgi, inspect, run, serve, validate, worker

COMMANDS = (validate, inspect, serve, run, worker, cgi)
