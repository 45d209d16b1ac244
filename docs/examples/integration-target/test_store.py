"""Tests of a store's own front end against Countersign: what the page would do, over HTTP. Python's standard library alone.

    docker compose --profile test up -d target
    python3 docs/examples/integration-target/test_store.py
"""

import json
import os
import unittest
import urllib.error
import urllib.request

API = os.environ.get("API_URL", "http://127.0.0.1:8081")
CONTROL = os.environ.get("CONTROL_URL", "http://127.0.0.1:8091")


def call(method, url, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data=data, method=method, headers={"content-type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request) as response:
            text = response.read()
            return response.status, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


class Store(unittest.TestCase):
    def setUp(self):
        # Every test starts from the same store, keys and orders.
        status, self.facts = call("POST", f"{CONTROL}/reset")
        self.assertEqual(status, 200, self.facts)

    def log_in(self, email, path="/v1/sessions"):
        status, opened = call("POST", f"{API}{path}", {"email": email, "password": self.facts["password"]},
                              x_store_key=self.facts["store_key"])
        self.assertEqual(status, 201, opened)
        return {"authorization": f"Bearer {opened['token']}"}

    def say(self, text, **who):
        status, answer = call("POST", f"{API}/v1/chat/send", {"text": text}, **who)
        self.assertEqual(status, 200, answer)
        return answer

    def test_a_shopper_asks_for_an_order_and_the_rules_answer(self):
        answer = self.say("Where is my order #1001?", **self.log_in("mia@example.com"))
        self.assertEqual(answer["message"]["source"], "offline")
        self.assertIn("HP440028817", answer["message"]["text"])

    def test_the_model_says_what_the_test_wants_and_a_refund_is_countersigned_and_mailed(self):
        mia, staff = self.log_in("mia@example.com"), self.log_in("staff@example.com", "/v1/staff/sessions")
        refund = {"tool": "request_refund", "arguments": {"order_number": "#1002", "amount": "3.00", "reason": "It arrived broken."}}
        status, _ = call("POST", f"{CONTROL}/model/replies", {"replies": [
            {"text": "I ask for it. ", "calls": [refund]}, {"text": "A person will decide."}]})
        self.assertEqual(status, 204)
        answer = self.say("My mug arrived broken.", **mia)
        self.assertEqual(answer["message"]["source"], "model")
        proposal = answer["proposals"][0]
        self.assertEqual(proposal["state"], "pending")
        status, _ = call("POST", f"{API}/v1/staff/proposals/{proposal['id']}/approve", {"digest": proposal["digest"]}, **staff)
        self.assertEqual(status, 200)
        for _ in range(200):
            _, now = call("GET", f"{API}/v1/proposals/{proposal['id']}", **mia)
            _, caught = call("GET", f"{CONTROL}/mails?to=mia@example.com")
            if now["state"] == "executed" and len(caught["mails"]) >= 2:
                break
        self.assertEqual(now["state"], "executed")
        self.assertIn("3.00", caught["mails"][0]["text"])

    def test_a_model_that_breaks_off_is_shown_as_such(self):
        call("POST", f"{CONTROL}/model/replies", {"replies": [{"text": "Your parcel is", "fail": True}]})
        answer = self.say("Where is it?", **self.log_in("mia@example.com"))
        self.assertIn("cut short", answer["message"]["text"])

    def test_the_clock_stands_where_the_test_puts_it(self):
        call("PUT", f"{CONTROL}/clock", {"now": "2027-03-01T09:30:00Z"})
        answer = self.say("Where is my order #1001?", **self.log_in("mia@example.com"))
        self.assertTrue(answer["message"]["created_at"].startswith("2027-03-01T09:30:00"), answer)
        call("DELETE", f"{CONTROL}/clock")

    def test_a_reset_leaves_nothing_of_the_test_before(self):
        mia = self.log_in("mia@example.com")
        self.say("Where is my order #1001?", **mia)
        call("POST", f"{CONTROL}/reset")
        status, _ = call("GET", f"{API}/v1/conversations", **mia)
        self.assertEqual(status, 401, "the session is gone too")
        _, conversations = call("GET", f"{API}/v1/conversations", **self.log_in("mia@example.com"))
        self.assertEqual(conversations["conversations"], [])


if __name__ == "__main__":
    unittest.main()
