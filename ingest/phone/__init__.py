"""Phones as sensors over HTTP: the Sensor Logger app pushes its samples, and the phyphox app is polled.

Without sockets: ``address``, ``axis_convention``, ``device``, ``json_text``, ``link``, ``phyphox``, ``readings``,
``reorder``, ``sensor_logger``, ``stream``, ``timeline``. With sockets: ``invitation``, ``phyphox_source``, ``server``,
``source``.
"""
