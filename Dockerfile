# docker build -t countersign .
# The dependency layer is built from the manifests alone, so that a change of source does not build it again. Versions are those
# of Cargo.lock. PROFILE=dev builds in a third of the time, for drills.
ARG RUST_IMAGE=rust:1-bookworm
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS build
ARG PROFILE=release
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
# Only to satisfy the manifest; the real ones follow.
RUN mkdir src && touch src/lib.rs && echo 'fn main() {}' > src/main.rs \
    && for bench in $(sed -n '/^\[\[bench\]\]/,/^$/s/^name = "\(.*\)"/\1/p' Cargo.toml); do mkdir -p benches/$bench && cp src/main.rs benches/$bench/main.rs; done \
    && cargo build --locked --profile ${PROFILE} --no-default-features && rm -rf src
COPY migrations migrations
COPY templates templates
COPY locales locales
COPY .sqlx .sqlx
COPY src src
# What /health and the logs say: the tag.
ARG VERSION=local
ENV SQLX_OFFLINE=true COUNTERSIGN_VERSION=${VERSION}
RUN touch src/main.rs src/lib.rs && cargo build --locked --profile ${PROFILE} --no-default-features \
    && cp target/$([ ${PROFILE} = dev ] && echo debug || echo ${PROFILE})/countersign /countersign && strip /countersign

FROM ${BASE_IMAGE}
ARG VERSION=local
LABEL org.opencontainers.image.title="countersign" \
      org.opencontainers.image.description="A self-hosted chatbot backend for online stores" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"
RUN useradd --system --uid 10001 --no-create-home countersign && install -d -o countersign -m 700 /secrets && install -d -o countersign -m 755 /admin-secrets
COPY --from=build /countersign /usr/local/bin/countersign
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
USER 10001
ENV LISTEN=0.0.0.0:8080
EXPOSE 8080
# The process takes SIGTERM itself, as PID 1 too: streams hear their end, turns finish.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=2s --timeout=3s --start-period=5s CMD ["countersign", "probe"]
ENTRYPOINT ["countersign"]
CMD ["serve"]
