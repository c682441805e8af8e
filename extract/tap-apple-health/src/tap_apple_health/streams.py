"""The streams of an export; which element goes where is told by `tap_apple_health.kinds`.

Knowledge of the elements: the grammar at the head of the export (version 14) and what real files have beside it. It is no
contract: whatever else an element has lands as it is. All values are text, as in the file.
"""

from __future__ import annotations

from typing import Any, ClassVar

from singer_sdk import typing as th

from tap_kit.export import ExportStream

_DATES = ("/startDate", "/endDate", "/creationDate")
"""Written with the offset of the phone on the day of the export: the same moment is another text in the next one."""

_SAMPLE = {
    "sourceName": "Device or app that wrote it; the name that it has on the day of the export.",
    "source": "As sourceName, in exports of iOS 8.",
    "sourceVersion": "Version of the app or system.",
    "device": "Print of the device; the hexadecimal number is a memory address and differs each time.",
    "creationDate": "When it entered the store.",
    "startDate": "Begin; the offset is that of the exporting phone.",
    "endDate": "End; the same.",
}


def _schema(
    *, required: tuple[str, ...] = (), children: tuple[str, ...] = (), **texts: str
) -> dict[str, Any]:
    """Describe attributes (text, with what they mean) and child elements (arrays of objects)."""
    return th.PropertiesList(
        *(
            th.Property(
                name,
                th.StringType(nullable=name not in required),
                required=name in required,
                description=meaning or None,
            )
            for name, meaning in texts.items()
        ),
        *(th.Property(name, th.ArrayType(th.ObjectType(additional_properties=True))) for name in children),
        additional_properties=True,
    ).to_dict()


class Exports(ExportStream):
    """One record per export: its date, language, document type, and the number of its elements."""

    name = "exports"
    source_timestamp = "/ExportDate/0/value"
    schema: ClassVar[dict[str, Any]] = _schema(
        locale="Language and region of the phone.",
        head="XML declaration and document type, with the version of the export.",
        children=("ExportDate",),
    )


class Me(ExportStream):
    """The person: date of birth, sex, blood type."""

    name = "me"
    primary_keys = ("HKCharacteristicTypeIdentifierDateOfBirth",)
    schema: ClassVar[dict[str, Any]] = _schema(
        HKCharacteristicTypeIdentifierDateOfBirth="",
        HKCharacteristicTypeIdentifierBiologicalSex="",
        HKCharacteristicTypeIdentifierBloodType="",
        HKCharacteristicTypeIdentifierFitzpatrickSkinType="",
        HKCharacteristicTypeIdentifierCardioFitnessMedicationsUse="",
    )


class Records(ExportStream):
    """Every sample: a quantity with its unit, or a category by its name."""

    name = "records"
    source_timestamp = "startDate"
    volatile = ("/device", *_DATES)
    absence = "full"
    schema: ClassVar[dict[str, Any]] = _schema(
        required=("type", "startDate", "endDate"),
        type="What was measured, such as HKQuantityTypeIdentifierHeartRate.",
        unit="Unit of the value, as the owner has set it.",
        value="Decimal text, or the name of a category.",
        **_SAMPLE,
        children=("MetadataEntry", "HeartRateVariabilityMetadataList"),
    )


class Correlations(ExportStream):
    """Samples that belong together, such as blood pressure; they stand in records as well."""

    name = "correlations"
    source_timestamp = "startDate"
    volatile = ("/device", *_DATES, *(f"/Record/*{pointer}" for pointer in ("/device", *_DATES)))
    absence = "full"
    schema: ClassVar[dict[str, Any]] = _schema(
        required=("type", "startDate", "endDate"),
        type="",
        **_SAMPLE,
        children=("MetadataEntry", "Record"),
    )


class Workouts(ExportStream):
    """Workouts with events, statistics and the routes' places; the points are in workout_routes."""

    name = "workouts"
    primary_keys = ("workoutActivityType", "sourceName", "startDate", "endDate")
    source_timestamp = "startDate"
    volatile = (
        "/device",
        *_DATES,
        "/WorkoutEvent/*/date",
        *(f"/WorkoutActivity/*{pointer}" for pointer in _DATES),
        *(f"/WorkoutStatistics/*{pointer}" for pointer in _DATES),
        *(f"/WorkoutRoute/*{pointer}" for pointer in ("/device", *_DATES)),
        "/WorkoutRoute/*/FileReference/*/path",
        "/WorkoutRoute/*/Location/*/date",
        *(f"/Record/*{pointer}" for pointer in ("/device", *_DATES)),
    )
    absence = "full"
    schema: ClassVar[dict[str, Any]] = _schema(
        required=("workoutActivityType", "sourceName", "startDate", "endDate"),
        workoutActivityType="",
        duration="",
        durationUnit="",
        totalDistance="Until version 11; later in WorkoutStatistics.",
        totalDistanceUnit="",
        totalEnergyBurned="Until version 11; later in WorkoutStatistics.",
        totalEnergyBurnedUnit="",
        **_SAMPLE,
        children=(
            "MetadataEntry",
            "WorkoutEvent",
            "WorkoutActivity",
            "WorkoutStatistics",
            "WorkoutRoute",
            "WorkoutZoneGroup",
            "Record",
        ),
    )


class ActivitySummaries(ExportStream):
    """The rings of each day."""

    name = "activity_summaries"
    primary_keys = ("dateComponents",)
    source_timestamp = "dateComponents"
    absence = "full"
    schema: ClassVar[dict[str, Any]] = _schema(
        required=("dateComponents",),
        dateComponents="Day.",
        activeEnergyBurned="",
        activeEnergyBurnedGoal="",
        activeEnergyBurnedUnit="",
        appleMoveTime="Minutes.",
        appleMoveTimeGoal="",
        appleExerciseTime="Minutes.",
        appleExerciseTimeGoal="",
        appleStandHours="",
        appleStandHoursGoal="",
    )


class Audiograms(ExportStream):
    """Hearing tests."""

    name = "audiograms"
    source_timestamp = "startDate"
    volatile = ("/device", *_DATES)
    absence = "full"
    schema: ClassVar[dict[str, Any]] = _schema(
        required=("type", "startDate", "endDate"),
        type="",
        **_SAMPLE,
        children=("MetadataEntry", "SensitivityPoint"),
    )


class VisionPrescriptions(ExportStream):
    """Prescriptions of glasses and lenses."""

    name = "vision_prescriptions"
    primary_keys = ("type", "dateIssued")
    source_timestamp = "dateIssued"
    volatile = ("/dateIssued", "/expirationDate")
    absence = "full"
    schema: ClassVar[dict[str, Any]] = _schema(
        required=("type", "dateIssued"),
        type="",
        dateIssued="",
        expirationDate="",
        brand="",
        children=("RightEye", "LeftEye", "Attachment", "MetadataEntry"),
    )


class ClinicalRecords(ExportStream):
    """What the export says of clinical records; the records themselves are in clinical_resources."""

    name = "clinical_records"
    primary_keys = ("identifier", "sourceURL")
    source_timestamp = "receivedDate"
    volatile = ("/resourceFilePath", "/receivedDate")
    absence = "full"
    schema: ClassVar[dict[str, Any]] = _schema(
        type="",
        identifier="",
        sourceName="",
        sourceURL="",
        fhirVersion="",
        receivedDate="",
        resourceFilePath="Member of the export.",
        displayName="",
    )


class ClinicalResources(ExportStream):
    """Clinical records as the hospital sent them: one FHIR resource each, DSTU2 or R4."""

    name = "clinical_resources"
    primary_keys = ("resourceType", "id")
    absence = "full"
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("resourceType", th.StringType),
        th.Property("id", th.StringType),
        additional_properties=True,
    ).to_dict()


class WorkoutRoutes(ExportStream):
    """Routes with all their points: one GPX file each."""

    name = "workout_routes"
    primary_keys = ("metadata",)  # the provenance says by what it is really known
    volatile = ("/metadata/time", "/trk/*/name")
    absence = "full"
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(
        *(
            th.Property(name, th.StringType)
            for name in ("version", "creator", "xmlns", "xmlns:xsi", "xsi:schemaLocation")
        ),
        th.Property("metadata", th.ObjectType(additional_properties=True)),
        th.Property("trk", th.ArrayType(th.ObjectType(additional_properties=True))),
        additional_properties=True,
    ).to_dict()


class Electrocardiograms(ExportStream):
    """ECGs: the lines at the head by their names, and the measured values."""

    name = "electrocardiograms"
    primary_keys = ("head",)  # the provenance says by what it is really known
    absence = "full"
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property(
            "head",
            th.ArrayType(th.ArrayType(th.StringType)),
            description="Lines before the values: name, and what follows it. Names are in the phone's language.",
        ),
        th.Property(
            "values",
            th.ArrayType(th.StringType(nullable=False)),
            description="As the file has them, with the decimal sign of the region.",
        ),
    ).to_dict()
    volatile = ("/head",)


class OtherElements(ExportStream):
    """Children of the root that are not known yet, under the name of the element."""

    name = "other_elements"
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(additional_properties=True).to_dict()


class DamagedElements(ExportStream):
    """Pieces of the main file that are no XML, as text."""

    name = "damaged_elements"
    schema: ClassVar[dict[str, Any]] = _schema(text="The piece.", reason="What is wrong with it.")
