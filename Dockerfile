# A static lastgood binary and the few system files it reads, nothing else.
#
#   docker build -t lastgood .
#
# The base image is pinned by the digest of its index, which covers every architecture. To update it, get the digest
# with `docker buildx imagetools inspect rust:1.95-bookworm`.
# Without a registry, set BUILDER to any local image with cargo, a C compiler and ca-certificates (as .ci/image does).
ARG BUILDER=docker.io/library/rust:1.95-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1

FROM ${BUILDER} AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
# Naming the target applies the flags to the program only, not to build scripts and macros.
RUN set -eu; \
    host=$(rustc -vV | sed -n 's/^host: //p'); \
    RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --locked --bin lastgood --target "$host"; \
    install -D -m 755 "target/$host/release/lastgood" /out/lastgood
# The provider's and the mail relay's certificates are verified against this bundle. Without /etc/hosts there is no
# `localhost`; without the line in nsswitch.conf the order of lookups is not defined.
RUN set -eu; \
    install -D -m 644 /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ca-certificates.crt; \
    printf '127.0.0.1 localhost\n::1 localhost\n' > /out/etc/hosts; \
    printf 'hosts: files dns\n' > /out/etc/nsswitch.conf; \
    printf 'lastgood:x:10001:10001:lastgood:/var/lib/lastgood:/nonexistent\n' > /out/etc/passwd; \
    printf 'lastgood:x:10001:\n' > /out/etc/group; \
    mkdir -p /out/etc/lastgood; \
    install -d -m 700 -o 10001 -g 10001 /out/var/lib/lastgood; \
    install -d -m 1777 /out/tmp

FROM scratch
COPY --from=build /out/ /
USER 10001:10001
WORKDIR /var/lib/lastgood
VOLUME /var/lib/lastgood
STOPSIGNAL SIGTERM
# Healthy: the daemon works. A backup that fails is seen in /metrics, in `status` and by mail; a restart would not help.
HEALTHCHECK --interval=1m --timeout=10s --start-period=1m --retries=3 CMD ["/lastgood", "health"]
ENTRYPOINT ["/lastgood"]
CMD ["daemon"]
