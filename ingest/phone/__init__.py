"""Phones as sensors over HTTP: the Sensor Logger app pushes its samples, and the phyphox app is polled.

Without sockets: ``address``, ``axis_convention``, ``device``, ``heard``, ``json_text``, ``link``, ``phyphox``,
``readings``, ``reference_points``, ``remarks``, ``reorder``, ``sensor_logger``, ``sensor_rate``, ``stream``,
``timeline``, ``vectors``. With sockets: ``invitation``, ``phyphox_source``, ``server``, ``source``.
"""
