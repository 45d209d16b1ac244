#!/usr/bin/env python3
"""A connector for Countersign: the five calls of docs/connector.md over a SQLite file, with Python's standard library alone.

    SECRET=whsec_… PORT=8090 python3 connector.py shop.db records.jsonl

`records.jsonl` holds records of the import format, one a line; they are put into an empty file. To connect your own shop system, replace
`page`, `find` and `make` by what it does; the rest can stay.
"""
import base64, hmac, json, os, sqlite3, sys, time, urllib.request, uuid
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

SECRET = os.environ["SECRET"]
db = sqlite3.connect(sys.argv[1] if len(sys.argv) > 1 else ":memory:")
db.executescript("""
    CREATE TABLE IF NOT EXISTS records (entity TEXT, id TEXT, version INTEGER, changed_at REAL, body TEXT, PRIMARY KEY (entity, id));
    CREATE TABLE IF NOT EXISTS changes (key TEXT PRIMARY KEY, answer TEXT);
    CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT);
""")


def mac(secret, id, timestamp, body):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.digest(key, f"{id}.{timestamp}.".encode() + body, "sha256")).decode()


def is_signed(secret, headers, body):
    id, timestamp, given = (headers.get("webhook-" + name, "") for name in ("id", "timestamp", "signature"))
    right = mac(secret, id, timestamp, body).encode()
    is_recent = timestamp.isdecimal() and abs(time.time() - int(timestamp)) <= 300
    return is_recent and any(hmac.compare_digest(right, it.encode()) for it in given.split(" "))


def put(entity, id, record):
    """Stores a record. Its version is higher than all before."""
    version = db.execute("SELECT coalesce(max(version), 0) + 1 FROM records").fetchone()[0]
    db.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?)", (entity, id, version, time.time(), json.dumps(record)))


def with_version(body, version):
    return {**json.loads(body), "version": version}


def page(entity, since, cursor, limit):
    """Records in the order of their ids. The cursor is the last id, so that it is good for as long as the shop."""
    after = datetime.fromisoformat(since.replace("Z", "+00:00")).timestamp() if since else 0
    query = "SELECT id, version, body FROM records WHERE entity = ? AND changed_at >= ? AND id > ? ORDER BY id LIMIT ?"
    rows = db.execute(query, (entity, after, cursor or "", limit)).fetchall()
    return {
        "records": [with_version(body, version) for _, version, body in rows],
        "next_cursor": rows[-1][0] if len(rows) == limit else None,
    }


def find(number):
    """The order with this number, with or without the # that shoppers leave out."""
    query = "SELECT body, version FROM records WHERE entity = 'orders' AND ltrim(json_extract(body, '$.number'), '#') = ltrim(?, '#')"
    row = db.execute(query, (number,)).fetchone()
    return {"order": with_version(*row) if row else None}


def make(change):
    """Makes a change. A refusal is a code, which staff see; a fault of this system is an exception: then it is asked for again."""
    if change["operation"] == "coupon":
        put("coupons", change["code"], change)
        return {"reference": change["code"]}
    row = db.execute("SELECT body FROM records WHERE entity = 'orders' AND id = ?", (change["order"],)).fetchone()
    if not row:
        return {"refused": "unknown_order"}
    order = json.loads(row[0])
    match change["operation"]:
        case "cancel":
            if order["status"] not in ("pending", "pending_items_modified"):
                return {"refused": "already_sent"}
            order["status"] = "cancelled"
        case "set_address":
            order["address"] = change["address"]
        case "return":
            order["status"] = "exchange_requested" if change["instead"] else "return_requested"
        case "refund":
            refund = {"kind": "refund", "amount": change["amount"], "payment_method": order["payments"][0]["payment_method"]}
            order["payments"].append(refund)
        case _:
            return {"refused": "unsupported"}
    put("orders", change["order"], order)
    return {"reference": change["order"]}


def change(request):
    """The same key is the same change: its answer is stored in the transaction that makes it."""
    with db:
        known = db.execute("SELECT answer FROM changes WHERE key = ?", (request["key"],)).fetchone()
        if known:
            return json.loads(known[0])
        answer = make(request)
        if "refused" not in answer:
            db.execute("INSERT INTO changes VALUES (?, ?)", (request["key"], json.dumps(answer)))
    tell(request.get("order"))
    return answer


def tell(order):
    """Sends the event about an order. One that is lost is found by the next nightly run."""
    row = db.execute("SELECT body, version FROM records WHERE entity = 'orders' AND id = ?", (order,)).fetchone()
    events = db.execute("SELECT value FROM settings WHERE name = 'events'").fetchone()
    if not row or not events:
        return
    events = json.loads(events[0])
    body = json.dumps({"type": "order.upserted", "version": row[1], "data": json.loads(row[0])}).encode()
    id, timestamp = f"msg_{uuid.uuid4().hex}", str(int(time.time()))
    headers = {"content-type": "application/json", "webhook-id": id, "webhook-timestamp": timestamp,
               "webhook-signature": mac(events["secret"], id, timestamp, body)}
    try:
        urllib.request.urlopen(urllib.request.Request(events["url"], body, headers), timeout=5).close()
    except OSError as error:
        print("an event was not taken:", error, file=sys.stderr)


def answer(call, request):
    if call == "shop":
        return {"name": "Example shop", "currency": "USD"}
    if call == "events":
        with db:
            db.execute("INSERT OR REPLACE INTO settings VALUES ('events', ?)", (json.dumps(request),))
        return {}
    if call == "records":
        return page(request["entity"], request["since"], request["cursor"], request["limit"])
    return find(request["number"]) if call == "order" else change(request)


class Handler(BaseHTTPRequestHandler):
    timeout = 10

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        call = self.path.rpartition("/v1/")[2]
        if not is_signed(SECRET, self.headers, body) or json.loads(body)["type"] != call:
            return self.reply(401, {"code": "wrong_signature"})
        if call not in ("shop", "events", "records", "order", "changes"):
            return self.reply(404, {"code": "unknown_call"})
        try:
            self.reply(200, answer(call, json.loads(body)))
        except Exception as error:
            print(f"{call} failed: {error!r}", file=sys.stderr)
            self.reply(500, {"code": "fault"})

    def reply(self, status, answer):
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if len(sys.argv) > 2 and not db.execute("SELECT 1 FROM records").fetchone():
    for line in open(sys.argv[2], encoding="utf-8"):
        record = json.loads(line)
        if record["type"] == "order":
            record.setdefault("reference", record["number"])
        put(record["type"] + "s", record.get("reference") or record["id"], record)
    db.commit()
server = HTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8090"))), Handler)
print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
