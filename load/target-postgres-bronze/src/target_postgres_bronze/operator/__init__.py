"""The operator's command, ``bronze``: what landed, what failed, what is stale. It shows what SQL says."""
