# The gateway's image: from the lock, without a compiler, as an ordinary user on a read-only root.
#   docker build -t dialtree .
#   docker build -t dialtree --build-arg LOCK=otel .    with OpenTelemetry
#   docker run --read-only --tmpfs /tmp --env-file dialtree.env -p 8080:8080 dialtree serve
ARG PYTHON_IMAGE=python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG LOCK=runtime
WORKDIR /src
COPY requirements/ requirements/
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.lock \
 && /opt/build/bin/pip wheel --no-cache-dir --require-hashes --no-build-isolation --wheel-dir /wheels -r requirements/${LOCK}.lock
COPY pyproject.toml README.md LICENSE ./
COPY gateway/ gateway/
COPY flows/ flows/
COPY menus/ menus/
COPY storage/ storage/
# Of the wheels only what the package needs (`runtime` is no extra, which pip only warns of), not what built it.
# No byte code for the parts of libraries that no process of ours loads: it would fill 30 MB.
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
 && python -m venv --without-pip /opt/dialtree \
 && /opt/build/bin/pip --python /opt/dialtree/bin/python install --no-compile \
      --no-index --find-links /wheels "dialtree[${LOCK}]" \
 && /opt/dialtree/bin/python -m compileall -q \
      -x '/twilio/rest/(?!__init__|api/)|/pygments/lexers/' /opt/dialtree/lib

FROM ${PYTHON_IMAGE}
ARG REVISION=unknown
ARG LOCK_SHA256=unknown
LABEL org.opencontainers.image.title="Dialtree" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}" \
      dialtree.lock.sha256="${LOCK_SHA256}"
RUN groupadd --gid 10001 dialtree \
 && useradd --uid 10001 --gid 10001 --create-home --home-dir /var/lib/dialtree --shell /usr/sbin/nologin dialtree
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
