"""Simulated phyphox phone with the documented HTTP interface, on the HTTP server of the standard library.

The test controls time: the phone measures only on ``measure``.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import floor, log10
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np

from .phones import UP, motion, turning


class PhyphoxPhone:
    """An experiment with accelerometer and gyroscope.

    Args:
        size: capacity of a buffer, which drops its oldest values.
        gyro: whether the experiment has a gyroscope.
        acc: whether it has an accelerometer.
    """

    def __init__(self, size: int = 10_000, gyro: bool = True, acc: bool = True) -> None:
        self.size, self.gyro, self.acc = size, gyro, acc
        self.session = "a1b2c3"
        self.measuring = False
        self.full = False
        self.gyro_ahead_s = 0.0
        self.t_s = 0.0
        self.requests: list[str] = []
        self.broken: bytes | None = None
        self.locks = True
        self.prefix = ""
        self.buffers: dict[str, list[float]] = {}
        self.lock = threading.Lock()
        self.clear()
        phone = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                with phone.lock:
                    status, body = phone.answer(parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)))
                    phone.requests.append(self.path)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def names(self) -> list[str]:
        acc = ["acc_time", "accX", "accY", "accZ"] if self.acc else []
        gyro = ["gyr_time", "gyrX", "gyrY", "gyrZ"] if self.gyro else []
        return [self.prefix + name for name in (*acc, *gyro)]

    def clear(self) -> None:
        self.buffers = {name: [] for name in self.names()}
        self.t_s, self.measuring, self.full = 0.0, False, True

    def measure(self, seconds: float, fs_hz: float = 100.0) -> None:
        """Measure for some seconds, if the measurement is running."""
        with self.lock:
            if not self.measuring:
                return
            t = self.t_s + np.arange(round(seconds * fs_hz)) / fs_hz
            self.t_s += seconds
            measured = [(t, motion(t) + UP)] * self.acc + [(t + self.gyro_ahead_s, turning(t))] * self.gyro
            columns = [column for times, x in measured for column in (times, *x.T)]
            for name, column in zip(self.names(), columns, strict=True):
                self.buffers[name] = [*self.buffers[name], *map(float, column)][-self.size :]

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, bytes]:
        if self.broken is not None:
            return 200, self.broken
        match path:
            case "/config":
                return 200, json.dumps(self.config()).encode()
            case "/control":
                if query["cmd"] == "clear":
                    self.clear()
                else:
                    self.measuring = query["cmd"] == "start"
                return 200, b'{"result": true}'
            case "/get":
                return self.get(query)
        return 404, b'{"error": "not found"}'

    def config(self) -> dict[str, Any]:
        def outputs(names: list[str]) -> list[dict[str, str]]:
            return [{key: name} for key, name in zip(("t", "x", "y", "z"), names, strict=True)]

        names = self.names()
        inputs = [{"source": "audio", "outputs": [{"out": "rec"}]}, {"source": "bluetooth"}]
        if self.acc:
            inputs.append({"source": "accelerometer", "outputs": outputs(names[:4])})
        if self.gyro:
            inputs.append({"source": "gyroscope", "outputs": outputs(names[-4:])})
        return {"title": "My sensors", "inputs": inputs, "buffers": [], "export": []}

    def get(self, query: dict[str, str]) -> tuple[int, bytes]:
        buffers: dict[str, Any] = {}
        for name, value in query.items():
            if name not in self.buffers:
                continue
            threshold, _, reference = value.partition("|")
            if reference and reference not in self.buffers:
                return 400, b'{"error": "Unknown reference buffer."}'
            values = self.buffers[name]
            if not value:
                mode, values = "single", values[-1:] or [None]
            elif value == "full" or self.full:
                mode = "full"
            else:
                mode, after = "partial", float(threshold)
                if after:  # the app sends eight digits, and ignores a difference of one unit in the last
                    after += 10 ** floor(log10(abs(after) / 1e7))
                values = [v for v, t in zip(values, self.buffers[reference or name], strict=True) if t > after]
            buffers[name] = {"size": self.size, "updateMode": mode, "buffer": [v and float(f"{v:.7e}") for v in values]}
        self.full = False
        status = {"session": self.session, "measuring": self.measuring, "timedRun": False, "countDown": 0}
        return 200, json.dumps({"buffer": buffers, "status": status}).encode()
