"""The parameters of the control panel's events, with the names and labels of Plesk's documentation.

Where that documentation misprints a name, the right one stands here, and the printed one as its synonym.
"""

from __future__ import annotations

from innkeeper.core.events import Parameter


def required(name: str, label: str) -> Parameter:
    """Always given."""
    return Parameter(name, label, required=True)


def optional(name: str, label: str) -> Parameter:
    """May be empty."""
    return Parameter(name, label)


def secret(name: str, label: str, *, required: bool = False) -> Parameter:
    """A password: in no outbox, log or argument."""
    return Parameter(name, label, required=required, secret=True)


def foreign(name: str, label: str) -> Parameter:
    """Tells of something that Debian does not have."""
    return Parameter(name, label, default="false")


_CONTACT = (
    optional("company_name", "Company Name"),
    optional("phone", "Phone"),
    optional("fax", "Fax"),
    optional("email", "E-mail"),
    optional("address", "Address"),
    optional("city", "City"),
    optional("state_province", "State/Province"),
    optional("postal_zip_code", "Postal/ZIP Code"),
    optional("country", "Country"),
)
_LIMITS = (
    optional("maximum_disk_space", "Maximum Amount of Disk Space"),
    optional("maximum_traffic", "Maximum Amount of Traffic"),
    optional("maximum_webusers", "Maximum Number of Web Users"),
    optional("maximum_databases", "Maximum Number of Databases"),
    optional("maximum_mailboxes", "Maximum Number of Mailboxes"),
    optional("maximum_mailbox_quota", "Mailbox Quota"),
    optional("maximum_mail_redirects", "Maximum Number of Mail Redirects"),
    optional("maximum_mail_groups", "Maximum Number of Mail Groups"),
    optional("maximum_mail_autoresponders", "Maximum Number of Mail Autoresponders"),
    optional("maximum_mail_lists", "Maximum Number of Mailing Lists"),
    optional("maximum_tomcat_web_applications", "Maximum Number of Web Applications"),
)
_SCRIPTS = (
    optional("ssi_support", "SSI support"),
    optional("php_support", "PHP support"),
    optional("cgi_support", "CGI support"),
    optional("perl_support", "Perl support"),
    optional("python_support", "Python support"),
    foreign("coldfusion_support", "ColdFusion support"),
    foreign("asp_support", "ASP support"),
)
ADMINISTRATOR = (
    required("login_name", "Login Name"),
    required("contact_name", "Contact Name"),
    *_CONTACT,
)
SERVICE = (required("service", "Service name"),)
DOMAIN_ADMINISTRATOR = (
    optional("allow_domain_user_access", "Allow domain user access"),
    required("login_name", "Login Name"),
    secret("password", "Password", required=True),
    required("domain_name", "Domain name"),
    optional("contact_name", "Contact Name"),
    *_CONTACT,
)
IP_ADDRESS = (
    required("ip_address", "IP address"),
    optional("ip_mask", "Network mask"),
    optional("interface", "Network interface"),
    optional("ip_type", "IP address type"),
)
IP_ADDRESS_DELETE = (required("ip_address", "IP address"),)
SESSION_PREFERENCES = (optional("session_idle_time", "Session idle time"),)
CLIENT = (
    required("login_name", "Login Name"),
    secret("password", "Password"),
    required("contact_name", "Contact Name"),
    *_CONTACT,
)
CLIENT_STATUS = (
    required("contact_name", "Contact Name"),
    required("login_name", "Login Name"),
    optional("status", "Status"),
)
CLIENT_GUID = (required("login_name", "Client login name"), optional("guid", "Client GUID"))
CLIENT_LIMITS = (
    required("login_name", "Client Login Name"),
    optional("maximum_domains", "Maximum Number of Domains"),
    *_LIMITS,
    optional("expiration_date", "Expiration Date"),
)
CLIENT_TRAFFIC = (
    required("contact_name", "Contact name"),
    required("maximum_traffic", "Maximum amount of traffic limit"),
)
CLIENT_SIZE = (
    required("contact_name", "Contact name"),
    required("maximum_disk_space", "Disk space limit"),
)
CLIENT_PERMISSIONS = (required("login_name", "Client login name"),)
CLIENT_PREFERENCES = (
    required("contact_name", "Contact Name"),
    required("login_name", "Login Name"),
    optional("allow_multiple_sessions", "Allow multiple sessions"),
    optional("interface_language", "Interface language"),
    optional("interface_skin", "Interface skin"),
)
CLIENT_IP_POOL = (
    required("login_name", "Login name"),
    required("ip_address", "IP address"),
    optional("status", "Status"),
)
CLIENT_APPLICATION = (required("login_name", "Login name"), required("package_name", "Package name"))
DASHBOARD_PRESET = (
    required("desktop_preset_id", "Desktop preset ID"),
    optional("desktop_preset_type", "Desktop preset type"),
    optional("desktop_preset_name", "Desktop preset name"),
)
DOMAIN = (required("domain_name", "Domain Name"),)
DOMAIN_STATUS = (required("domain_name", "Domain name"), optional("status", "Domain status"))
DOMAIN_GUID = (required("domain_name", "Domain name"), optional("guid", "Domain GUID"))
DOMAIN_DNS = (required("domain_name", "Domain name"),)
SUBDOMAIN = (
    required("subdomain_name", "Subdomain Name"),
    required("domain_name", "Parent Domain Name"),
    optional("system_user_type", "FTP account login"),
    optional("system_user", "Subdomain owner's login"),
    secret("system_user_password", "FTP account password"),
    optional("hard_disk_quota", "Hard disk quota"),
    *_SCRIPTS,
)
DOMAIN_ALIAS = (
    required("domain_alias_name", "Domain alias name"),
    optional("domain_id", "Domain ID in the panel database"),
    optional("status", "Domain status"),
    optional("dns", "Status of DNS zone synchronization with primary domain"),
    optional("mail", "Mail service status"),
    optional("web", "Web service status"),
)
DOMAIN_ALIAS_DNS = (required("domain_alias_name", "Domain alias name"),)
ADMIN_ALIAS = (
    required("login_name", "Login Name"),
    optional("contact_name", "Contact Name"),
    secret("password", "Password"),
    optional("status", "Account status"),
    optional("email", "E-mail"),
)
DOMAIN_LIMITS = (
    required("domain_name", "Domain Name"),
    *_LIMITS,
    optional("expiration_date", "Domain Expiration Date"),
)
DOMAIN_TRAFFIC = (
    required("domain_name", "Domain name"),
    Parameter("maximum_traffic", "Maximum amount of traffic limit", required=True, synonyms=("maximum_disk_space",)),
)
DOMAIN_SIZE = (
    required("domain_name", "Domain name"),
    Parameter("maximum_disk_space", "Disk space limit", required=True, synonyms=("maximum_traffic",)),
)
CP_USER = (optional("contact_name", "Contact Name"),)
MAILNAME = (required("mailname", "Mail account"),)
MAILNAME_UPDATE = (
    required("mailname", "Mail account"),
    optional("mailbox", "Mailbox"),
    secret("password", "Password"),
    optional("mailbox_quota", "Mailbox Quota"),
    optional("redirect", "Redirect"),
    optional("redirect_address", "Redirect Address"),
    optional("mail_group", "Mail Group"),
    optional("autoresponders", "Autoresponders"),
)
MAILING_LIST = (
    required("domain_name", "Domain Name"),
    required("mail_list_name", "Mailing list name"),
    optional("mail_list_enabled", "Mailing list switched on"),
)
HOSTING = (
    required("domain_name", "Domain Name"),
    optional("ip_address", "IP Address"),
    optional("ip_type", "IP Type"),
    optional("system_user", "Domain Administrator login"),
    secret("system_user_password", "Domain Administrator password"),
    optional("system_shell", "Access to system"),
    foreign("fp_support", "MS FrontPage Support"),
    foreign("fpssl_support", "MS FrontPage over SSL Support"),
    foreign("fp_authoring", "MS FrontPage Authoring"),
    optional("fp_admin_login", "MS FrontPage Admin Login"),
    secret("fp_admin_password", "MS FrontPage Admin Password"),
    *_SCRIPTS,
    optional("ssl_support", "SSL Support"),
    optional("custom_error_documents", "Custom Error Documents"),
    optional("web_statistics", "Web Statistics"),
    optional("hard_disk_quota", "Hard Disk Quota"),
)
HOSTING_DELETE = (
    optional("system_user", "Domain Administrator login"),
    required("domain_name", "Domain Name"),
)
FORWARDING = (
    required("domain_name", "Domain name"),
    optional("ip_address", "IP address"),
    optional("forwarding_type", "Forwarding type"),
    optional("url", "URL"),
)
FORWARDING_DELETE = (required("domain_name", "Domain name"), optional("forwarding_type", "Forwarding type"))
WEB_USER = (
    required("domain_name", "Domain Name"),
    required("webuser_name", "Web User Name"),
    secret("webuser_password", "Web User Password"),
    *_SCRIPTS,
    optional("hard_disk_quota", "Hard Disk Quota"),
)
WEB_USER_DELETE = (required("domain_name", "Domain Name"), required("webuser_name", "Web User Name"))
APPLICATION = (
    required("package_name", "Site application name"),
    required("domain_type", "Domain type (domain or subdomain)"),
    required("directory", "Installation directory"),
    required("installation_prefix", "Installation prefix"),
)
APPLICATION_PACKAGE = (required("site_application_package_name", "Site application package name"),)
LICENSE = (
    required("license", "License"),
    required("license_type", "License type"),
    required("license_name", "License name"),
)
LICENSE_EXPIRED = (required("license", "License"),)
DATABASE_SERVER = (required("database_server", "Database server"),)
DATABASE = (required("database_server", "Database server"), required("database_name", "Database"))
DATABASE_USER = (
    required("database_server", "Database server"),
    required("database_id", "Database ID"),
    required("database_user_name", "Database user name"),
)
REMOTE_DNS_STATUS = (required("remote_dns_status", "Remote DNS status"),)
FTP_USER = (
    required("domain_name", "Domain Name"),
    required("system_user", "FTP account name"),
    secret("system_user_password", "FTP account password"),
    optional("hard_disk_quota", "Hard Disk Quota"),
    optional("home_directory", "Home Directory"),
    optional("read_permission", "Read Permission"),
    optional("write_permission", "Write Permission"),
)
FTP_USER_DELETE = (required("system_user", "FTP account name"), required("domain_name", "Domain Name"))
COMPONENT = (required("plesk_component_name", "Panel component name"),)
