"""The packet protocol: XML over HTTPS, compatible with Plesk's XML API."""
