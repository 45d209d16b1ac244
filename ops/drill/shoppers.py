"""A load of shoppers for drills: each chats by the rules, looks orders up, has the model change an address in a stream that it
resumes when it breaks, and confirms. Also a fake model that speaks OpenAI's API. Needs only Python's standard library.

    shoppers.py URL STORE_KEY MODEL_ADDRESS:PORT STOP_FILE      runs until STOP_FILE exists, then prints what happened as JSON
"""

import http.client
import http.server
import json
import os
import ssl
import sys
import threading
import time
import urllib.parse
import uuid

PEOPLE = [f"shopper-{n}" for n in range(6)]
PASSWORD = "a drill's password"


class Model(http.server.BaseHTTPRequestHandler):
    """Calls change_profile_address with the house number of the message, then streams text for two seconds."""

    def log_message(self, *_):
        pass

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        last = asked["messages"][-1]
        if last["role"] == "tool":
            for word in "It is asked for . Please confirm it now .".split(" "):
                self.chunk({"content": word + " "})
                time.sleep(0.2)
            self.chunk({}, "stop")
        else:
            content = last["content"] if isinstance(last["content"], str) else last["content"][0]["text"]
            number = "".join(c for c in content if c.isdigit())
            address = {"address1": f"{number} Quay Street", "address2": "", "city": "Portland", "state": "ME", "zip": "04101", "country": "USA"}
            call = {"name": "change_profile_address", "arguments": json.dumps({"address": address})}
            self.chunk({"tool_calls": [{"index": 0, "id": f"call_{number}", "type": "function", "function": call}]})
            self.chunk({}, "tool_calls")
        usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        self.data({"id": "drill", "object": "chat.completion.chunk", "created": 0, "model": "fake", "choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")

    def chunk(self, delta, finish=None):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        self.data({"id": "drill", "object": "chat.completion.chunk", "created": 0, "model": "fake", "choices": [choice]})

    def data(self, value):
        self.wfile.write(f"data: {json.dumps(value)}\n\n".encode())
        self.wfile.flush()


class Shopper(threading.Thread):
    def __init__(self, url, key, name, number, stop):
        super().__init__()
        self.url, self.key, self.who, self.number, self.stop = urllib.parse.urlsplit(url), key, name, number, stop
        self.requests, self.failed, self.turns, self.resumed, self.proposals, self.longest = 0, [], 0, 0, [], 0.0

    def ask(self, method, path, body=None, headers=()):
        """Sends one request on its own connection. Returns the status and the response, which the caller reads."""
        self.requests += 1
        context = ssl._create_unverified_context()  # The edge signs for localhost itself.
        make = http.client.HTTPSConnection if self.url.scheme == "https" else http.client.HTTPConnection
        extra = {"context": context} if self.url.scheme == "https" else {}
        connection = make(self.url.hostname, self.url.port, timeout=90, **extra)
        sent = {"content-type": "application/json", **dict(headers)}
        if getattr(self, "token", None):
            sent["authorization"] = f"Bearer {self.token}"
        connection.request(method, path, None if body is None else json.dumps(body), sent)
        return connection.getresponse()

    def must(self, expected, method, path, body=None, headers=()):
        began = time.monotonic()
        response = self.ask(method, path, body, headers)
        text = response.read()
        self.longest = max(self.longest, time.monotonic() - began)
        if response.status != expected:
            raise RuntimeError(f"{method} {path}: {response.status} {text[:200]!r}")
        return json.loads(text) if text else None

    def listen(self, body):
        """Streams one turn, resumed with the same key until it is done. Returns its proposals."""
        key, last, proposals = str(uuid.uuid4()), 0, {}
        for attempt in range(20):
            headers = {"accept": "text/event-stream", "idempotency-key": key, "last-event-id": str(last)}
            response = self.ask("POST", "/v1/chat/send", body, headers)
            if response.status != 200:
                raise RuntimeError(f"stream: {response.status} {response.read()[:200]!r}")
            name = None
            for line in response:
                field, _, value = line.decode().rstrip("\n").partition(": ")
                if field == "id":
                    last = int(value)
                elif field == "event":
                    name = value
                elif field == "data" and name == "proposal":
                    proposal = json.loads(value)
                    proposals[proposal["id"]] = proposal
                elif field == "data" and name == "error":
                    raise RuntimeError(f"stream: {value}")
                elif field == "data" and name == "done":
                    return list(proposals.values())
            self.resumed += 1
            time.sleep(0.5)
        raise RuntimeError("a stream never ended")

    def done(self, proposal):
        """Waits until the change is made, because the next one is planned on it."""
        for _ in range(120):
            state = self.must(200, "GET", f"/v1/proposals/{proposal}")["state"]
            if state == "executed":
                return
            if state not in ("approved", "executing"):
                break
            time.sleep(0.5)
        raise RuntimeError(f"a confirmed proposal is {state}")

    def run(self):
        opened = self.must(201, "POST", "/v1/sessions", {"email": f"{self.who}@example.com", "password": PASSWORD}, {"x-store-key": self.key})
        self.token = opened["token"]
        while not os.path.exists(self.stop):
            self.number += 1
            try:
                self.turns += 1
                self.must(200, "POST", "/v1/chat/send", {"text": "Where is my order?", "by_rules": True}, {"idempotency-key": str(uuid.uuid4())})
                self.must(200, "GET", "/v1/orders")
                self.turns += 1
                proposals = self.listen({"text": f"Change my address to number {self.number} please"})
                if len(proposals) != 1:
                    raise RuntimeError(f"{len(proposals)} proposals of one turn")
                self.proposals += [proposals[0]["id"]]
                self.must(200, "POST", f"/v1/proposals/{proposals[0]['id']}/confirm", {"digest": proposals[0]["digest"]})
                self.done(proposals[0]["id"])
            except (OSError, http.client.HTTPException, RuntimeError, ValueError) as error:
                self.failed.append(f"{time.strftime('%H:%M:%S')} {self.who}: {type(error).__name__}: {error}")


def main(url, key, model, stop):
    host, port = model.rsplit(":", 1)
    server = http.server.ThreadingHTTPServer((host, int(port)), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    people = []
    for n, name in enumerate(PEOPLE):
        people.append(Shopper(url, key, name, 1000 * (n + 1), stop))
        people[-1].start()
        time.sleep(0.7)  # Doors take two log-ins a second.
    for shopper in people:
        shopper.join()
    total = lambda of: sum(of(shopper) for shopper in people)
    print(json.dumps({
        "requests": total(lambda it: it.requests), "failed": total(lambda it: len(it.failed)),
        "turns": total(lambda it: it.turns), "resumed_streams": total(lambda it: it.resumed),
        "proposals": total(lambda it: len(it.proposals)), "longest_answer_s": round(max(it.longest for it in people), 1),
        "first_failures": sum((it.failed for it in people), [])[:5],
    }))


main(*sys.argv[1:])
