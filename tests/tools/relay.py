"""A mail server (aiosmtpd) on loopback that keeps each mail as a file: relay.py PORT FOLDER"""
import itertools, os, sys, time

from aiosmtpd.controller import Controller


class Keep:
    def __init__(self, folder):
        self.folder, self.count = folder, itertools.count(1)

    async def handle_DATA(self, server, session, envelope):
        name = f"{self.folder}/{next(self.count):06}"
        with open(f"{name}.part", "wb") as file:
            file.write(envelope.content)
        os.rename(f"{name}.part", f"{name}.eml")
        return "250 kept"


controller = Controller(Keep(sys.argv[2]), hostname="127.0.0.1", port=int(sys.argv[1]))
controller.start()
print("ready", flush=True)
while True:
    time.sleep(60)
