# The proxy as an image: `docker build .`. The stage `tests` adds the test suite; docker-compose.yml uses both.
FROM python:3.12-slim AS base
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin sealwire \
    && install --directory --owner sealwire --group sealwire --mode 0700 /var/lib/sealwire
WORKDIR /opt/sealwire
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY proxy proxy
# The compiler and OpenSSL's headers make the native kernel and leave again; libcrypto stays, Python needs it too.
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends gcc libc6-dev libssl-dev \
    && SEALWIRE_KERNEL=native pip install --no-cache-dir --disable-pip-version-check . \
    && apt-get purge -qq -y --auto-remove gcc libc6-dev libssl-dev && rm -rf /var/lib/apt/lists/*

FROM base AS tests
RUN pip install --no-cache-dir --disable-pip-version-check '.[dev]'
COPY --chown=sealwire:sealwire . /home/sealwire/checkout
WORKDIR /home/sealwire/checkout
USER sealwire
CMD ["python", "-m", "pytest", "-n", "2", "--dist", "loadfile"]

FROM base AS proxy
COPY config /etc/sealwire
USER sealwire
# Master key and keyring, unless the configuration puts them elsewhere.
ENV SEALWIRE_LISTEN_HOST=0.0.0.0 \
    SEALWIRE_KEYS_KEYRING=/var/lib/sealwire/keyring.json \
    SEALWIRE_KEYS_MASTER_KEY=/var/lib/sealwire/master.key
VOLUME /var/lib/sealwire
EXPOSE 6432
ENTRYPOINT ["sealwire"]
CMD ["serve", "--config", "/etc/sealwire/sealwire.yaml"]
