"""Verifies every DKIM signature of a mail with dkimpy: verify_dkim.py DNS_PORT FILE. Prints one line for each: selector and yes or no"""
import sys

import dkim
import dns.resolver

resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers, resolver.port = ["127.0.0.1"], int(sys.argv[1])


def txt(name, timeout=5):
    answer = resolver.resolve(name.decode() if isinstance(name, bytes) else name, "TXT")
    return b"".join(next(iter(answer)).strings)


mail = open(sys.argv[2], "rb").read()
verifier = dkim.DKIM(mail)
count = sum(name.lower() == b"dkim-signature" for name, _ in verifier.headers)
for index in range(count):
    holds = verifier.verify(idx=index, dnsfunc=txt)
    print(verifier.selector.decode(), "yes" if holds else "no")
