"""What column and table names say, in the languages that schemas are written in.

Words are compared without accents and in lower case; a name is cut into words at underscores, spaces and capitals, and
some of the words below are two of them joined.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

_SPLIT: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


def words_of(name: str) -> tuple[str, ...]:
    """`shippingAddress_line1` -> shipping, address, line, 1; accents are taken off."""
    decomposed = unicodedata.normalize("NFKD", name.replace("ß", "ss").replace("ł", "l").replace("ø", "o"))
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    return tuple(word.lower() for word in _SPLIT.findall(plain))


def phrases_of(words: tuple[str, ...]) -> frozenset[str]:
    """Every run of one to three words, written as one."""
    return frozenset("".join(words[i : i + n]) for n in (1, 2, 3) for i in range(len(words) - n + 1))


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


KINDS: Final[Mapping[str, frozenset[str]]] = {
    "email": _set("email emails mail emailaddress courriel correo correoelectronico epost sahkoposti mailadresse"),
    "phone": _set(
        "phone phones telephone mobile mobilephone cell cellphone fax msisdn telefon telefono telefoon telefonnummer"
        " handy handynummer mobil mobilnummer portable movil celular cellulare telefone puhelin telephonenumber tel"
        " telnr faxnumber phonenumber contactnumber komorka telefax rufnummer"
    ),
    "card": _set(
        "cardnumber cardno creditcard debitcard ccnumber ccnum pan cardnum kartennummer kreditkarte numerocarte"
        " numerotarjeta tarjeta cartedecredit numerocarta cartao creditcardnumber"
    ),
    "iban": _set("iban bankaccount bankaccountnumber kontonummer rekeningnummer accountiban"),
    "national id": _set(
        "ssn socialsecurity socialsecuritynumber nationalid nationalidnumber nin nino taxid taxpayerid taxnumber"
        " passport passportnumber passportno idcard identitycard driverslicense driverslicence drivinglicence"
        " drivinglicense licencenumber personnummer fodselsnummer cpr hetu henkilotunnus bsn burgerservicenummer pesel"
        " nip cpf rg dni nie nif numerosecu securitesociale nir codicefiscale steuerid steuernummer"
        " sozialversicherungsnummer ausweisnummer ahv aadhaar aadhar sin curp rfc rodnecislo cnp egn personalid"
        " personalnumber identitynumber citizenid"
    ),
    "birth date": _set(
        "dob birth birthdate dateofbirth birthday born bday geburtsdatum geburtstag geboren naissance datenaissance"
        " datedenaissance nacimiento fechanacimiento nascita datanascita nascimento geboortedatum urodzenia"
        " dataurodzenia fodselsdato fodelsedatum fodselsdag syntymaaika narozeni birthdt"
    ),
    "ip": _set("ip ipaddress ipaddr ipv4 ipv6 remoteaddr clientip remoteip sourceip lastip"),
    "secret": _set(
        "password passwd passwordhash pwd passphrase secret secrets token tokens apikey apikeys privatekey secretkey"
        " accesskey credential credentials otp totp mfa pincode pinhash pin cvv cvc authkey signingkey encryptionkey"
        " passwort kennwort motdepasse contrasena clave wachtwoord haslo senha losenord salasana recoverycode"
        " backupcodes securityanswer licensekey"
    ),
    "name": _set(
        "firstname lastname surname fullname givenname familyname middlename maidenname forename fname lname mname"
        " nickname username login loginname displayname realname legalname preferredname contactname cardholder"
        " cardholdername accountholder holdername recipient recipientname beneficiary nameoncard patientname"
        " customername clientname employeename username membername studentname guestname passengername ownername"
        " contactperson emergencycontact nextofkin signatory"
        " vorname nachname familienname geburtsname rufname ansprechpartner kontoinhaber"
        " prenom nomdefamille nomcomplet nomfamille apellido apellidos primerapellido segundoapellido nombrecompleto"
        " cognome cognomenome nomecompleto sobrenome apelido voornaam achternaam tussenvoegsel familienaam roepnaam"
        " imie imiona nazwisko fornavn etternavn efternavn fornamn efternamn mellannavn etunimi sukunimi jmeno prijmeni"
    ),
    "address": _set(
        "address addr street streetaddress streetname addressline addressline1 addressline2 line1 line2 city town zip"
        " zipcode postcode postalcode postal housenumber apartment billingaddress shippingaddress homeaddress village"
        " strasse anschrift adresse hausnummer plz postleitzahl ort wohnort stadt rue codepostal ville commune"
        " calle direccion domicilio ciudad codigopostal poblacion indirizzo via cap citta comune residenza"
        " rua endereco cep cidade morada straat straatnaam huisnummer woonplaats adres plaats ulica miasto"
        " kodpocztowy gata postnummer poststed adressen vej gade katuosoite postinumero"
    ),
}

BARE_NAMES: Final = _set("name nom nombre nome naam navn namn nimi nazwa jmeno names")
"""Names of anything: a person's in a table of people."""

PEOPLE: Final = _set(
    "customer customers client clients user users employee employees staff person persons people patient patients"
    " member members contact contacts student students teacher teachers guest guests passenger passengers subscriber"
    " subscribers applicant applicants candidate candidates driver drivers donor donors tenant tenants owner owners"
    " beneficiary beneficiaries attendee attendees citizen citizens worker workers doctor doctors recipient recipients"
    " lead leads account_holder shopper shoppers buyer buyers visitor visitors kunde kunden mitarbeiter benutzer"
    " personen mitglied mitglieder patienten utilisateur utilisateurs employes salarie salaries personne personnes"
    " cliente clientes empleado empleados usuario usuarios persona personas clienti dipendente dipendenti utente utenti"
    " persone klant klanten medewerker medewerkers gebruiker gebruikers personeel klient klienci pracownik pracownicy"
    " uzytkownik osoba osoby personer ansatte kunder anvandare anstallda funcionario funcionarios pessoa pessoas"
    " contribuinte contribuintes asiakas asiakkaat first last full given family middle maiden holder"
)
"""Words for people: tables of them, and what stands before `name`."""

PLACES: Final = _set(
    "warehouse warehouses airport airports country countries city cities region regions store stores office offices"
    " branch branches hotel hotels venue venues station stations port ports depot depots facility facilities site sites"
    " location locations state states province provinces shop shops restaurant restaurants university universities"
    " school schools company companies organization organizations organisation organisations supplier suppliers vendor"
    " vendors department departments lager filiale filialen entrepot magasin almacen tienda magazzino negozio magazijn"
    " timezone timezones stadium museum"
)
"""Tables of places and firms: their addresses are no person's."""

NOT: Final[Mapping[str, frozenset[str]]] = {
    "email": _set("template templates server domain count subject body sent verified status opened type id at"),
    "phone": _set("model type os brand verified status count id code country prefix price"),
    "card": _set("type brand expiry exp month year id count status"),
    "iban": _set("type id status count"),
    "national id": _set("type status country count id_type expiry issued"),
    "birth date": _set("place city country name ort lieu"),
    "ip": _set("rating version count range network subnet mask address_count"),
    "secret": _set(
        "expires expiry expired at changed count type length policy required attempts hint strength reset_at updated"
        " name id url version status until created date used limit"
    ),
    "name": _set("verified count type status id url"),
    "address": _set(
        "email mail ip mac id type count verified status web url wallet memory network host hash bitcoin eth remote"
        " state country code_type lat lon latitude longitude"
    ),
}
"""Words beside which the word of a kind means something else."""

NO_NUMBER_OF_PEOPLE: Final = _set(
    "imei iccid imsi serial ean gtin upc isbn issn isin sku barcode tracking order invoice version build release"
    " firmware hash checksum sha sha1 sha256 md5 digest etag fingerprint uuid guid commit slug cursor revision ledger"
    " cert certificate signature url uri path file image avatar key_id batch lot part product"
)
"""Words of columns whose values may have the form of something personal by chance or by construction."""
