# syntax=docker/dockerfile:1
# Two images from one program:
#
#   docker build .                        the Home Assistant add-on, as Supervisor builds it
#   docker build --target standalone .    a plain container, for homes without Supervisor
#
# The program is compiled on the building machine for the machine that will run it.

# Supervisor names this base as long as there is a build.yaml, and not any more after.
ARG BUILD_FROM=ghcr.io/home-assistant/base:3.24

FROM --platform=$BUILDPLATFORM golang:1.26-alpine AS build
# npm fetches the page's one script, without which CI=true lets nothing be built; bash and
# make run the recipes.
RUN apk add --no-cache bash ca-certificates make npm tzdata
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /src
COPY . .
ENV CGO_ENABLED=0 GOFLAGS=-buildvcs=false
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CI=true make assets helpers
ARG TARGETOS=linux
ARG TARGETARCH
ARG BUILD_VERSION
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    GOOS="$TARGETOS" GOARCH="$TARGETARCH" go build -trimpath \
      -ldflags "-s -w${BUILD_VERSION:+ -X z2mha/internal/version.Version=$BUILD_VERSION}" \
      -o /out/z2mha ./cmd/z2mha \
    && install -d -m 0700 /out/data

FROM scratch AS standalone
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /usr/share/zoneinfo /usr/share/zoneinfo
COPY --from=build /out/z2mha /usr/bin/z2mha
# A volume mounted here for the first time takes over this owner and mode.
COPY --from=build --chown=10001:10001 /out/data /data
USER 10001:10001
ENV PATH=/usr/bin HOME=/data Z2MHA_CONFIG=/data/z2mha.yaml
WORKDIR /data
VOLUME /data
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --start-interval=2s --retries=3 \
    CMD ["/usr/bin/z2mha", "healthcheck"]
ENTRYPOINT ["/usr/bin/z2mha"]
CMD ["serve", "--config", "/data/z2mha.yaml"]

# The base starts s6-overlay, and that the service z2mha of rootfs.
FROM ${BUILD_FROM} AS addon
COPY rootfs /
COPY --from=build /out/z2mha /usr/bin/z2mha
# Supervisor shows the add-on as starting until this succeeds, and restarts one that
# became unhealthy if the user has switched the watchdog on.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --start-interval=2s --retries=3 \
    CMD ["/usr/bin/z2mha", "healthcheck"]
ARG BUILD_ARCH
ARG BUILD_VERSION
LABEL io.hass.type="app" \
      io.hass.name="Zigbee2MQTT High Availability" \
      io.hass.description="Moves your Zigbee network to a second host when you say so or the first one breaks, without pairing a device again" \
      io.hass.url="https://github.com/z2mha/z2mha" \
      io.hass.arch="${BUILD_ARCH}" \
      io.hass.version="${BUILD_VERSION}" \
      org.opencontainers.image.title="Zigbee2MQTT High Availability" \
      org.opencontainers.image.source="https://github.com/z2mha/z2mha" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${BUILD_VERSION}"
