# The gateway's image: from the lock, without a compiler, as an ordinary user on a read-only root.
#   docker build -t dialtree .
#   docker build -t dialtree --build-arg LOCK=otel .    with OpenTelemetry
#   docker run --read-only --tmpfs /tmp --env-file dialtree.env -p 8080:8080 dialtree serve
ARG PYTHON_IMAGE=python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG LOCK=runtime
WORKDIR /src
RUN python -m venv /opt/dialtree
COPY requirements/ requirements/
RUN /opt/dialtree/bin/pip install --no-cache-dir --require-hashes -r requirements/build.lock \
 && /opt/dialtree/bin/pip install --no-cache-dir --require-hashes --no-build-isolation -r requirements/${LOCK}.lock
COPY pyproject.toml README.md LICENSE ./
COPY gateway/ gateway/
COPY flows/ flows/
COPY menus/ menus/
COPY storage/ storage/
RUN /opt/dialtree/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
 && /opt/dialtree/bin/python -m compileall -q /opt/dialtree/lib \
 && /opt/dialtree/bin/pip uninstall -qy pip

FROM ${PYTHON_IMAGE}
ARG REVISION=unknown
ARG LOCK_SHA256=unknown
LABEL org.opencontainers.image.title="Dialtree" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}" \
      dialtree.lock.sha256="${LOCK_SHA256}"
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/dialtree dialtree
COPY --from=build /opt/dialtree /opt/dialtree
ENV PATH=/opt/dialtree/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    DIALTREE_INTERNAL_HOST=0.0.0.0
USER 10001
WORKDIR /var/lib/dialtree
EXPOSE 8080 9090 9190 9290
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9090/healthz', timeout=2)"]
ENTRYPOINT ["dialtree"]
CMD ["serve"]
