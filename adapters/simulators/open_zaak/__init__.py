"""Open Zaak, the Objects API and BRP Personen as an adapter meets them, over real HTTP on loopback.

Promises: answers and refuses as the published OpenAPI files say; holds what it is given in memory only.
"""
