# The service and the models of this repository. How to run it: docs/container.md.

FROM python:3.11-slim-bookworm AS build

ENV UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never \
    VIRTUAL_ENV=/opt/venv
WORKDIR /build

RUN apt-get update \
    && apt-get install --yes --no-install-recommends binutils \
    && rm -r /var/lib/apt/lists

COPY requirements/build.txt requirements/
RUN pip install --no-cache-dir uv \
    && uv pip install --system --require-hashes --requirement requirements/build.txt

# Byte-compiled, because nothing can be written where it runs. What no running service reads goes
# here, not in a later layer: symbol tables, C++ headers (their licences stay: those are of libraries
# that TensorFlow links), the tests of libraries, and libclang, which TensorFlow never imports.
COPY requirements/service.txt requirements/
RUN uv venv --python /usr/local/bin/python "$VIRTUAL_ENV" \
    && uv pip install --compile-bytecode --require-hashes --requirement requirements/service.txt \
    && uv pip uninstall libclang \
    && cd "$VIRTUAL_ENV/lib/python3.11/site-packages" \
    && strip --strip-unneeded tensorflow/libtensorflow_*.so.* llvmlite/binding/libllvmlite.so \
    && find tensorflow/include -type f ! -iname 'LICENSE*' ! -iname 'COPYING*' -delete \
    && find tensorflow/include -type d -empty -delete \
    && find . -type d -name tests -prune -exec rm -r {} +

COPY LICENSE README.md pyproject.toml ./
COPY undertone undertone
COPY service service
COPY training training
RUN hatchling build --target wheel --directory dist \
    && uv pip install --compile-bytecode --no-deps dist/*.whl


FROM python:3.11-slim-bookworm

LABEL org.opencontainers.image.title="Undertone" \
    org.opencontainers.image.description="A REST service that hears emotion in a voice" \
    org.opencontainers.image.licenses="Apache-2.0 AND CC-BY-NC-SA-4.0" \
    org.opencontainers.image.base.name="docker.io/library/python:3.11-slim-bookworm"

RUN pip uninstall --yes pip setuptools wheel \
    && rm -rf /usr/local/lib/python3.11/ensurepip \
    && groupadd --gid 10001 undertone \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp \
        --shell /usr/sbin/nologin undertone

COPY --from=build /opt/venv /opt/venv
COPY models /models

# The root file system may be read-only: what libraries write goes to /tmp.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    ORT_DISABLE_TELEMETRY=1 \
    UNDERTONE_HOST=0.0.0.0 \
    UNDERTONE_PORT=8000 \
    UNDERTONE_MODELS=/models

USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-m", "service.health"]
ENTRYPOINT ["undertone"]
CMD ["serve"]
