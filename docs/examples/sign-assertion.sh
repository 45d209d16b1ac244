#!/bin/sh
# Signs an assertion (HS256) with openssl: sign-assertion.sh STORE SHOPPER_ID EMAIL
# ASSERTION_KID and ASSERTION_SECRET are what `countersign keys add` was called with and has printed.
set -eu
store=$1 shopper=$2 email=$3
base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

now=$(date +%s)
jti=$(openssl rand -hex 16)
header=$(printf '{"alg":"HS256","typ":"JWT","kid":"%s"}' "$ASSERTION_KID" | base64url)
claims=$(printf '{"aud":"countersign:%s","sub":"%s","email":"%s","iat":%s,"exp":%s,"jti":"%s"}' \
    "$store" "$shopper" "$email" "$now" $((now + 60)) "$jti" | base64url)
signature=$(printf '%s.%s' "$header" "$claims" | openssl dgst -binary -sha256 -hmac "$ASSERTION_SECRET" | base64url)
echo "$header.$claims.$signature"
