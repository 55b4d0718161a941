# SPDX-License-Identifier: Apache-2.0
# The command in a container. EXTRAS says what it can evaluate:
#   base        predictions that are in the data
#   tensorflow  also SavedModels, Keras files and TFRecords, with ML Metadata
#   all         every model format, Beam, TFX and Kubeflow
# BASE is any image with Python 3.13, pip and glibc 2.39 or newer, which the wheels of ML Metadata and
# TFDV ask for. Two secrets serve a network that needs them, and are not in the image: `pip`, a pip.conf,
# and `ca`, a bundle of certificates, which that pip.conf calls /run/secrets/ca.
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS dependencies
ARG EXTRAS=base
# A part of TFDV has no wheel and is compiled.
RUN if [ "${EXTRAS}" = all ]; then \
        apt-get update && apt-get install -y --no-install-recommends g++ python3-dev; \
    fi
RUN python3 -m venv --without-pip /opt/benison && mkdir /data
COPY requirements/container-${EXTRAS}.txt /src/requirements/
# Headers are for compilers, and an eighth of TensorFlow.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca \
    python3 -m pip --python /opt/benison install --no-cache-dir \
        --requirement /src/requirements/container-${EXTRAS}.txt \
    && find /opt/benison/lib -type d -name include -prune -exec rm -r {} +

FROM dependencies AS build
COPY requirements/test.txt /src/requirements/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca \
    python3 -m pip install --no-cache-dir --target /opt/hatchling \
        --constraint /src/requirements/test.txt hatchling
COPY pyproject.toml README.md LICENSE /src/
COPY component /src/component
COPY orchestration /src/orchestration
RUN cd /src && PYTHONPATH=/opt/hatchling python3 -m hatchling build -t wheel -d /dist
# Apart from what it needs, so that a new version is a small layer on the old ones; and without an
# index, so that a pin that is lacking fails here.
RUN python3 -m pip --python /opt/benison install --no-index --root /installed /dist/*.whl

FROM ${BASE}
ARG EXTRAS=base
# LightGBM's wheel does not bring the OpenMP library that it is linked with.
RUN if [ "${EXTRAS}" = all ]; then \
        apt-get update && apt-get install -y --no-install-recommends libgomp1 \
        && rm -rf /var/lib/apt/lists/*; \
    fi
LABEL org.opencontainers.image.title="benison" \
      org.opencontainers.image.description="Evaluates a model on every slice and blesses it or says why not." \
      org.opencontainers.image.licenses="Apache-2.0"
# The place for data. Whoever runs the image, --user with any number included, has a name and a home.
COPY --from=dependencies --chown=10001:10001 /data /data
COPY --from=dependencies /opt/benison /opt/benison
COPY --from=build /installed /
ENV PATH=/opt/benison/bin:${PATH} HOME=/tmp USER=benison PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /data
ENTRYPOINT ["benison"]
