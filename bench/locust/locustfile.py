"""The load of a fleet: every node registers, is heard of every 30 s, and leaves.

    pip install locust
    locust -f bench/locust/locustfile.py --headless --host http://127.0.0.1:8500 \\
        --users 100000 --spawn-rate 1000 --run-time 10m --processes -1

One Locust process carries some thousands of nodes; `--processes -1` starts one a core, and further machines join with `--worker`.
The same shape without Python: `portolan bench registry --instances 100000 --duration 60s --namespace bench`.
"""

import itertools
import os

from locust import FastHttpUser, constant_pacing, task

HEARTBEAT_SECONDS = float(os.environ.get("HEARTBEAT_SECONDS", "30"))
SERVICES = int(os.environ.get("SERVICES", "1000"))
NAMESPACE = os.environ.get("NAMESPACE", "bench")
numbers = itertools.count()


class Node(FastHttpUser):
    wait_time = constant_pacing(HEARTBEAT_SECONDS)

    def on_start(self):
        number = next(numbers)
        # Worker processes count by themselves.
        self.id = f"node-{os.getpid()}-{number}"
        self.registration = {
            "service": f"bench-{number % SERVICES}",
            "id": self.id,
            "namespace": NAMESPACE,
            # Private, so that every registry takes it; nobody dials it.
            "address": f"10.{64 + (number >> 16) % 64}.{(number >> 8) % 256}.{number % 256}",
            "port": 1_024 + os.getpid() % 60_000,
            "metadata": {"version": "v1"},
            "ttl": max(10, int(3 * HEARTBEAT_SECONDS)),
        }
        self.register()

    def register(self):
        self.client.post("/register", json=self.registration, name="register")

    @task
    def heartbeat(self):
        path = f"/api/v1/instances/{self.id}/heartbeat?namespace={NAMESPACE}"
        with self.client.put(path, name="heartbeat", catch_response=True) as answer:
            if answer.status_code == 404:
                # As a real agent does when the registry has forgotten it.
                answer.success()
                self.register()

    def on_stop(self):
        path = f"/api/v1/instances/{self.id}?namespace={NAMESPACE}"
        self.client.delete(path, name="deregister")
