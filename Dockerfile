# The project with everything installed; `docker compose run --rm app WORD` is `./bronze WORD`.
FROM python:3.13.7-slim-bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 bronze \
    && install --directory --owner=bronze /app

WORKDIR /app
USER bronze
COPY --chown=bronze . .
RUN ./bronze setup

ENV PATH=/app/.venv/bin:$PATH
ENTRYPOINT ["./bronze"]
CMD ["status"]
