"""Phones as sensors: the Sensor Logger app pushes to us, the phyphox app is asked; both over HTTP.

Pure: ``json_text``, ``sensor_logger``, ``reorder``, ``recipe``, ``timeline``, ``stream``, ``address``. With sockets:
``server``, ``phyphox``, ``source``.
"""
