# The dependency layer is built from the manifests alone, so that a change of source does not build it again.
ARG RUST_IMAGE=rust:1-bookworm
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
# Only to satisfy the manifest; the real ones follow.
RUN mkdir -p src benches/load && echo 'fn main() {}' > src/main.rs && touch src/lib.rs && echo 'fn main() {}' > benches/load/main.rs \
    && cargo build --locked --release --no-default-features && rm -rf src
COPY migrations migrations
COPY .sqlx .sqlx
COPY src src
RUN touch src/main.rs src/lib.rs && cargo build --locked --release --no-default-features && strip target/release/countersign

FROM ${BASE_IMAGE}
RUN useradd --system --uid 10001 --no-create-home countersign
COPY --from=build /build/target/release/countersign /usr/local/bin/countersign
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
USER 10001
ENV LISTEN=0.0.0.0:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["countersign", "probe"]
ENTRYPOINT ["countersign"]
CMD ["serve"]
