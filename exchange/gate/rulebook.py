"""What each rule id means: its source, what the requester and the resident are told, and what can be done.

Promises: every rule id of rules.py stands here; no text holds personal data; the resident's is Dutch at B1.
Source: the articles cited per rule. Ids are stable: they are stored in decisions and printed in letters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rule:
    """`cause` speaks to a professional, `resident` to the resident; both Dutch; so is `remedy`."""

    id: str
    citation: str
    cause: str
    resident: str
    remedy: str
    remedy_en: str


_ALL: Final = (
    Rule(
        "R01",
        "AVG art. 25 en 32",
        "Een gegeven dat nodig is om te beslissen ontbreekt of is nu niet bereikbaar.",
        "Wij konden niet nagaan of dit mag. Daarom is er niets gegeven.",
        "Vul de ontbrekende gegevens van de vraag aan, of probeer het later opnieuw.",
        "Complete the request, or try again later.",
    ),
    Rule(
        "R02",
        "AVG art. 32",
        "De persoon of de organisatie is niet sterk genoeg aangemeld.",
        "De medewerker was niet veilig genoeg ingelogd.",
        "Meld u aan met een tweede factor, over een verbinding met wederzijds TLS.",
        "Sign in with a second factor over mutual TLS.",
    ),
    Rule(
        "R03",
        "AVG art. 5 lid 1 onder f; Wmo 2015 art. 5.3.3",
        "U bent niet betrokken bij deze casus.",
        "Deze medewerker werkt niet aan uw plan. Daarom is er niets gegeven.",
        "Laat de regisseur u aan de casus toevoegen als u eraan gaat werken.",
        "Have the case director add you to the case if you will work on it.",
    ),
    Rule(
        "R04",
        "AVG art. 6",
        "De genoemde grondslag staat niet in het register.",
        "De organisatie noemde een wet of regel die wij niet kennen.",
        "Noem een grondslag die in het register staat.",
        "Name a legal basis of the register.",
    ),
    Rule(
        "R05",
        "AVG art. 6 lid 3",
        "De genoemde grondslag is nu niet van kracht.",
        "De organisatie noemde een wet of regel die nu niet geldt.",
        "Noem een grondslag die nu van kracht is.",
        "Name a legal basis that is in force now.",
    ),
    Rule(
        "R06",
        "AVG art. 5 lid 1 onder b",
        "Het doel past niet bij de grondslag.",
        "De organisatie wilde uw gegevens gebruiken voor iets waarvoor dat niet mag.",
        "Noem het doel waarvoor u werkt, en de grondslag die daarbij hoort.",
        "Name the purpose you work for and the basis that covers it.",
    ),
    Rule(
        "R07",
        "AVG art. 5 lid 1 onder b en art. 6 lid 4",
        "De gegevens zijn verkregen voor een andere wet, en hergebruik is hier niet geregeld.",
        "U gaf deze gegevens voor iets anders. Ze mogen hier niet voor worden gebruikt.",
        "Vraag de gegevens aan de inwoner zelf, of gebruik een grondslag voor hergebruik.",
        "Ask the resident, or use a basis that allows reuse.",
    ),
    Rule(
        "R08",
        "de sectorwet van de grondslag",
        "Uw organisatie mag met deze taak niets ontvangen op deze grondslag.",
        "Deze organisatie mag deze gegevens niet krijgen.",
        "Noem de taak waarvoor u werkt, en een grondslag waarin uw organisatie genoemd is.",
        "Name the task you work for and a basis that lists your kind of organisation.",
    ),
    Rule(
        "R09",
        "de sectorwet van de grondslag",
        "De organisatie die de gegevens heeft, mag ze op deze grondslag niet verstrekken.",
        "De organisatie die uw gegevens heeft, mag ze hiervoor niet geven.",
        "Vraag de gegevens aan een organisatie die in de grondslag genoemd is, of aan de inwoner.",
        "Ask an organisation that the basis lists, or the resident.",
    ),
    Rule(
        "R10",
        "AVG art. 5 lid 1 onder c",
        "Dit soort gegevens valt niet onder de grondslag.",
        "Dit soort gegevens hoort niet bij wat de organisatie mag weten.",
        "Vraag alleen de velden die de grondslag noemt.",
        "Ask only fields that the basis covers.",
    ),
    Rule(
        "R11",
        "AVG art. 9; UAVG art. 22 tot en met 30",
        "Voor gezondheidsgegevens geldt hier geen uitzondering, of de toestemming was niet uitdrukkelijk.",
        "Gegevens over uw gezondheid mogen hier niet gegeven worden.",
        "Vraag de inwoner uitdrukkelijke toestemming waar de wet die eist, of laat het veld weg.",
        "Obtain explicit consent where the law asks it, or leave the field out.",
    ),
    Rule(
        "R12",
        "AVG art. 10; UAVG art. 31 tot en met 33",
        "Voor strafrechtelijke gegevens geldt hier geen uitzondering.",
        "Gegevens over politie of justitie mogen hier niet gegeven worden.",
        "Laat het veld weg.",
        "Leave the field out.",
    ),
    Rule(
        "R14",
        "AVG art. 5 lid 1 onder c",
        "De noodzaak ontbreekt, of dit veld is voor uw taak niet nodig.",
        "De organisatie legde niet uit waarom zij dit moest weten.",
        "Schrijf op waarom het nodig is en niet met minder kan, of laat het veld weg.",
        "State necessity and subsidiarity, or leave the field out.",
    ),
    Rule(
        "R15",
        "AVG art. 7 lid 1; de sectorwet van de grondslag",
        "De toestemming die de wet hier eist, is er niet.",
        "U heeft hiervoor geen toestemming gegeven.",
        "Vraag de inwoner om toestemming en leg het antwoord vast.",
        "Ask the resident for consent and record the answer.",
    ),
    Rule(
        "R16",
        "AVG art. 7 lid 4, overweging 43",
        "Toestemming is hier niet vrij of niet als vrij beoordeeld, of is hier de verkeerde grondslag.",
        "De gemeente mag u voor deze taak geen toestemming vragen als reden. De wet moet de reden zijn.",
        "Gebruik voor een publieke taak de grondslag uit de wet; leg anders vast waarom de keuze vrij was.",
        "Use the statutory basis of the public task; else record why the choice was free.",
    ),
    Rule(
        "R17",
        "AVG art. 6 lid 1 onder a en art. 7",
        "De toestemming gaat over een ander doel, een andere ontvanger of andere gegevens.",
        "Uw toestemming ging over iets anders, of over iemand anders.",
        "Vraag alleen waarvoor toestemming is gegeven, of vraag de inwoner om een nieuwe.",
        "Ask only what was consented to, or ask the resident again.",
    ),
    Rule(
        "R18",
        "AVG art. 5 lid 1 onder b; de sectorwet van de grondslag",
        "De toestemming geldt nu niet: zij is nog niet begonnen of al voorbij.",
        "Uw toestemming gold op dat moment niet.",
        "Vraag de inwoner om een nieuwe toestemming met een periode.",
        "Ask the resident for a new consent with a period.",
    ),
    Rule(
        "R19",
        "AVG art. 7 lid 3",
        "De toestemming is ingetrokken.",
        "U heeft uw toestemming ingetrokken. Vanaf dat moment wordt er niets meer gegeven.",
        "Stop het gebruik. Vraag alleen opnieuw als de situatie van de inwoner anders is geworden.",
        "Stop the use. Ask again only if the resident's situation changed.",
    ),
    Rule(
        "R21",
        "UAVG art. 5; Jeugdwet art. 7.3.15; Wmo 2015 art. 5.3.2 en 5.3.3",
        "De verkeerde persoon gaf toestemming of vraagt inzage, of twee gezagsdragers zijn het oneens.",
        "Iemand besliste voor u die dat niet mag, of twee mensen die voor u beslissen zijn het niet eens.",
        "Vraag het aan wie hier beslist: de jeugdige zelf, de ouder met gezag, de curator of de mentor. "
        "Zijn twee gezagsdragers het oneens, dan beslist de regisseur met hen, of de rechtbank.",
        "Ask whoever decides here: the youth, the holder of authority, the curator or mentor. "
        "Where two holders disagree, the regisseur decides with them, or the court.",
    ),
    Rule(
        "R22",
        "BW art. 7:457; Jeugdwet art. 7.3.11",
        "Het beroepsgeheim op dit veld is niet opgeheven.",
        "Uw hulpverlener heeft een geheimhoudingsplicht. Daarom is dit niet gegeven.",
        "Vraag de inwoner toestemming om het beroepsgeheim op te heffen, of laat het veld weg.",
        "Ask consent to lift professional secrecy, or leave the field out.",
    ),
    Rule(
        "R24",
        "AVG art. 18 en art. 21 lid 1",
        "Het gebruik van deze gegevens is beperkt, of een bezwaar wacht op een besluit.",
        "U heeft bezwaar gemaakt of gevraagd uw gegevens even niet te gebruiken. Daar houden wij ons aan.",
        "Wacht het besluit over het bezwaar of de beperking af.",
        "Wait for the decision on the objection or restriction.",
    ),
    Rule(
        "R25",
        "AVG art. 21 lid 1",
        "Het bezwaar van de inwoner is toegewezen.",
        "U kreeg gelijk met uw bezwaar. Daarom is er niets gegeven.",
        "Gebruik deze gegevens hier niet meer.",
        "Do not use these data here any more.",
    ),
    Rule(
        "R26",
        "AVG art. 32",
        "Het veld is verzegeld en u bent geen aangewezen lezer.",
        "Dit is verzegeld.",
        "Twee daartoe aangewezen personen kunnen het zegel opheffen of een lezer aanwijzen.",
        "Two appointed persons can lift the seal or name a reader.",
    ),
    Rule(
        "R27",
        "AVG art. 15 lid 4",
        "Dit gegeven gaat over een ander dan de inwoner.",
        "Dit gaat over iemand anders. Daarom ziet u het niet.",
        "Vraag toestemming aan de ander, of vraag een afweging aan de functionaris gegevensbescherming.",
        "Ask the other person, or ask the privacy officer to weigh it.",
    ),
    Rule(
        "R28",
        "AVG art. 6 lid 1 onder d",
        "Noodtoegang vraagt een code van levensbelang, een reden en de eigen grondslag, en geen lijst.",
        "Iemand vroeg toegang in nood, maar legde dat niet goed genoeg uit.",
        "Geef een geldige code en een reden van ten minste 20 tekens op grondslag AVG-6.1.d.",
        "Give a valid code and a reason of at least 20 characters under AVG-6.1.d.",
    ),
    Rule(
        "R29",
        "UAVG art. 46; Wabb art. 10 tot en met 12",
        "Deze ontvanger mag het burgerservicenummer hier niet gebruiken.",
        "Uw burgerservicenummer mag hier niet gegeven worden.",
        "Laat het burgerservicenummer weg.",
        "Leave the BSN out.",
    ),
    Rule(
        "R30",
        "AVG art. 5 lid 1 onder e",
        "De bewaartermijn van dit veld is voorbij.",
        "Deze gegevens zijn te oud om nog te gebruiken.",
        "Vraag de actuele gegevens aan de inwoner.",
        "Ask the resident for current data.",
    ),
    Rule(
        "R31",
        "AVG art. 15; UAVG art. 41; HvJ EU C-579/21",
        "Inzage is geweigerd in het belang van het kind of van een ander, of een naam is niet afgewogen.",
        "U ziet niet alles: een naam of een deel laten wij weg om een kind of een ander te beschermen.",
        "Vraag een afweging aan de functionaris gegevensbescherming; bezwaar is mogelijk.",
        "Ask the privacy officer to weigh it; an objection is possible.",
    ),
    Rule(
        "R32",
        "AVG art. 5 lid 1 onder f",
        "Dit is uw eigen dossier of dat van een naaste.",
        "De medewerker is familie van u of een bekende. Daarom is er niets gegeven.",
        "Draag de vraag over aan een collega; eigen gegevens vraagt u op als inwoner.",
        "Hand over to a colleague; ask for your own data as a resident.",
    ),
    Rule(
        "R36",
        "Participatiewet art. 67 lid 3",
        "De verstrekking schaadt de persoonlijke levenssfeer onevenredig.",
        "Dit geven zou uw privacy te veel schaden.",
        "Zoek een weg die minder schaadt, of vraag de inwoner zelf.",
        "Find a less harmful way, or ask the resident.",
    ),
)
RULEBOOK: Final = {rule.id: rule for rule in _ALL}
