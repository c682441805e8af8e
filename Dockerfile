# The application with everything installed. docker-compose.yml mounts the sources over the copies in here.
FROM python:3.13.7-slim-bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 bronze \
    && install --directory --owner=bronze /app /app/data

WORKDIR /app
USER bronze
COPY --chown=bronze . .
# compiled once here, and not by each container anew
RUN UV_COMPILE_BYTECODE=1 ./bronze setup

ENV PATH=/app/.venv/bin:$PATH
CMD ["sleep", "infinity"]
